// The deals. They pulse, so that nobody misses them.
'use strict';

(() => {
  const COUNT = 600;
  const list = document.getElementById('deals');

  function show(products) {
    const deals = Array.from({ length: COUNT }, (_, n) => {
      const { name, price_cents: cents } = products[n % products.length];
      const price = (cents * 0.8 / 100).toLocaleString('en', { style: 'currency', currency: 'EUR' });
      const deal = document.createElement('li');
      deal.textContent = `${name}, ${price}`;
      return deal;
    });
    list.replaceChildren(...deals);
    const height = list.offsetHeight;
    requestAnimationFrame(function pulse(now) {
      const wanted = height * (1 + Math.sin(now / 500) / 10);
      // It asks for the height right after each change, so the browser lays out the whole list for each step.
      for (let size = 10; size < 20; size += 0.1) {
        list.style.fontSize = `${size}px`;
        if (list.offsetHeight >= wanted) break;
      }
      requestAnimationFrame(pulse);
    });
  }

  fetch('/api/products').then((response) => response.json()).then(show);
})();
