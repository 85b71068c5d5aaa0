// The shop: products, a basket, the order. It knows nothing about sessions but the ID that it shows.
'use strict';

(() => {
  const $ = (id) => document.getElementById(id);
  const price = (cents) => (cents / 100).toLocaleString('en', { style: 'currency', currency: 'EUR' });
  const basket = new Map();
  let basketId = crypto.randomUUID();
  let products = [];

  const id = window.qorrelate.id();
  const backend = `${document.body.dataset.viewer}/sessions/${encodeURIComponent(id)}`;
  $('session-id').textContent = id;
  $('session-link').href = backend;
  $('new-session').addEventListener('click', () => {
    sessionStorage.removeItem('qorrelate');
    location.reload();
  });

  function element(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function change(sku, by) {
    const quantity = (basket.get(sku) ?? 0) + by;
    if (quantity > 0) basket.set(sku, Math.min(quantity, 99));
    else basket.delete(sku);
    showBasket();
  }

  function showProducts() {
    $('products').replaceChildren(...products.map((product) => {
      const card = element('li', 'product');
      const picture = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
      picture.setAttribute('class', 'picture');
      picture.setAttribute('aria-hidden', 'true');
      const drawing = document.createElementNS('http://www.w3.org/2000/svg', 'use');
      drawing.setAttribute('href', `#${product.sku}`);
      picture.append(drawing);
      const add = element('button', '', 'Add');
      add.dataset.sku = product.sku;
      add.setAttribute('aria-label', `Add ${product.name}`);
      add.addEventListener('click', () => change(product.sku, 1));
      const foot = element('span', 'foot');
      foot.append(element('strong', '', price(product.price_cents)), add);
      card.append(picture, element('h3', '', product.name), element('p', '', product.about), foot);
      return card;
    }));
  }

  function showBasket() {
    let total = 0;
    $('basket').replaceChildren(...products.filter(({ sku }) => basket.has(sku)).map((product) => {
      const quantity = basket.get(product.sku);
      total += quantity * product.price_cents;
      const line = element('li');
      const less = element('button', 'quiet', '−');
      less.setAttribute('aria-label', `One ${product.name} less`);
      less.addEventListener('click', () => change(product.sku, -1));
      line.append(
        element('span', 'item', `${quantity} × ${product.name}`),
        element('span', 'sum', price(quantity * product.price_cents)),
        less,
      );
      return line;
    }));
    $('empty').hidden = basket.size > 0;
    $('total').textContent = price(total);
    $('checkout').disabled = basket.size === 0;
    if (basket.size === 0) showForm(false);
  }

  function showForm(isShown) {
    $('order').hidden = !isShown;
    $('checkout').hidden = isShown;
  }

  function toast(text) {
    $('toast').textContent = text;
    setTimeout(() => { $('toast').textContent = ''; }, 2000);
  }

  function tell(kind, text, response) {
    const answer = $('answer');
    answer.className = kind;
    answer.replaceChildren(element('strong', '', text));
    // The server says which trace it made of the request: link straight to it.
    const trace = /00-([0-9a-f]{32})-/.exec(response?.headers.get('server-timing') ?? '')?.[1];
    const link = element('a', '', 'See what the backend did');
    link.href = trace ? `${backend}#trace-${trace}` : backend;
    link.target = 'viewer';
    answer.append(' ', link);
  }

  async function placeOrder() {
    const form = $('order');
    if (!form.checkValidity()) {
      toast('Please check your details.');
      return;
    }
    window.qorrelate.identify?.(form.elements.email.value);
    try {
      const items = [...basket].map(([sku, quantity]) => ({ sku, quantity }));
      const response = await fetch('/api/checkout', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ basket: basketId, items }),
      });
      const answer = await response.json();
      if (response.ok) {
        basket.clear();
        basketId = crypto.randomUUID();
        tell('good', `Order ${answer.order} placed: ${price(answer.total_cents)}.`, response);
      } else {
        tell('bad', `Not ordered: ${answer.error}.`, response);
      }
    } catch {
      tell('bad', 'The shop does not answer.');
    }
    showBasket();
  }

  $('checkout').addEventListener('click', () => showForm(true));
  $('example').addEventListener('click', () => {
    const example = {
      name: 'Ada Lovelace', email: 'ada@example.com', postcode: '10115', card: '4242 4242 4242 4242',
    };
    for (const [name, value] of Object.entries(example)) $('order').elements[name].value = value;
  });
  $('order').addEventListener('submit', (event) => {
    event.preventDefault();
    placeOrder();
  });
  fetch('/api/products')
    .then((response) => response.json())
    .then((found) => {
      products = found;
      basket.set(products[0].sku, 1);
      showProducts();
      showBasket();
    })
    .catch(() => tell('bad', 'The shop does not answer.'));
})();
