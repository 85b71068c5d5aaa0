// The deals: a bar for each shows how long it lasts.
'use strict';

(() => {
  const COUNT = 400;
  const list = document.getElementById('deals');

  function show(products) {
    const deals = Array.from({ length: COUNT }, (_, n) => {
      const { name, price_cents: cents } = products[n % products.length];
      const deal = document.createElement('li');
      const bar = document.createElement('span');
      bar.className = 'bar';
      const price = (cents * 0.8 / 100).toLocaleString('en', { style: 'currency', currency: 'EUR' });
      deal.append(`${name}, ${price}`, bar);
      return deal;
    });
    list.replaceChildren(...deals);
    requestAnimationFrame(animateBars);
  }

  function animateBars(now) {
    for (const [n, deal] of [...list.children].entries()) {
      const left = 1 - ((now / 100 + n * 7) % 100) / 100;
      // It asks for a width right after it has changed one, so the browser lays out the whole page for each bar.
      deal.lastChild.style.width = `${deal.offsetWidth * left}px`;
    }
    requestAnimationFrame(animateBars);
  }

  fetch('/api/products').then((response) => response.json()).then(show);
})();
