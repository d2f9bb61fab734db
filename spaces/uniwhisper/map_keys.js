// The map by keyboard: one stop of the Tab key, arrow keys go to the nearest point on their side, Enter is a click.
const sides = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
const places = () => new Map([...element.querySelectorAll('[role=option]')].map((point, number) =>
  [point, [point.cx.baseVal.value + number * 1e-6, point.cy.baseVal.value]]));  // of which no two are the same
const nearest = (from, [right, down]) => {
  const all = places(), [x, y] = all.get(from);
  let found, least = Infinity;
  for (const [point, [px, py]] of all) {
    const along = (px - x) * right + (py - y) * down, across = (px - x) * down + (py - y) * right;
    const distance = Math.hypot(along, across);
    if (along > 0 && Math.abs(across) <= along && distance < least) [found, least] = [point, distance];
  }
  return found;
};
element.addEventListener('focusin', ({target}) => {
  element.querySelector('[tabindex="0"]').tabIndex = -1;
  target.tabIndex = 0;
  for (const name of ['cx', 'cy']) element.querySelector('.ring').setAttribute(name, target.getAttribute(name));
  element.querySelector('.named').textContent = target.textContent;
});
element.addEventListener('keydown', event => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key in sides) nearest(event.target, sides[event.key])?.focus();
  else if (['Enter', ' '].includes(event.key)) event.target.dispatchEvent(new Event('click', {bubbles: true}));
  else return;
  event.preventDefault();
});
