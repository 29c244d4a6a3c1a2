// What every widget shares: a root that keeps its keys, one line to Python, sliders, buttons, a player.
// Python puts these files one after the other into one module (course_lib.widgets.base), so all names are shared.

// ---- Elements

/** A DOM element: el('button', {class: 'x', onclick: f}, 'text', child, ...). */
function el(tag, attrs = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attrs)) {
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, '');
    else if (value !== false && value != null) node.setAttribute(key, value);
  }
  node.append(...children.filter(c => c != null));
  return node;
}

/** Change a text, but only if it differs: the browser lays out again what was set. */
function setText(node, text) { if (node.textContent !== text) node.textContent = text; }

/** A number as a learner reads it: four significant digits, and never a long tail of zeros. */
function fmt(v, digits = 4) {
  if (v === null || v === undefined) return '–';
  if (!Number.isFinite(v)) return Number.isNaN(v) ? 'not a number' : (v > 0 ? '∞' : '−∞');
  const size = Math.abs(v);
  const text = size !== 0 && (size >= 1e6 || size < 1e-4) ? v.toExponential(digits - 2) : String(Number(v.toPrecision(digits)));
  return text.replace('-', '−');
}

const reducedMotion = () => matchMedia('(prefers-reduced-motion: reduce)').matches;
const isDark = () => document.body.dataset.jpThemeLight === 'false';
const typing = e => e.target.matches('input[type=number], input[type=text], textarea, select');
let unique = 0;

// ---- The root

/**
 * The outermost element of a view. JupyterLab listens to every key that reaches the document, and `d` `d` deletes a
 * cell; so no key leaves the root, and a click anywhere inside gives it the focus.
 * `keys` maps a key ('s', ' ', 'Ctrl+z', 'Ctrl+Shift+z') to a function; they count only where nobody is typing, and it hears the event.
 */
function makeRoot(view, {label, keys = {}, hint = ''}) {
  const root = el('div', {class: 'cw-root', role: 'group', 'aria-label': label, tabindex: '-1'});
  root.addEventListener('keydown', e => {
    e.stopPropagation();
    const name = keyName(e);
    const inButton = e.target.matches('button, summary, input[type=checkbox]') && (e.key === ' ' || e.key === 'Enter');
    if (!keys[name] || e.defaultPrevented || typing(e) || inButton || e.altKey) return;  // a slider has used its arrows
    e.preventDefault();
    keys[name](e);
  });
  root.addEventListener('beforeinput', e => {  // a number box would drop the comma: 2,5 would become 25
    if (e.data !== ',' || e.target.type !== 'number') return;
    e.preventDefault();
    document.execCommand('insertText', false, '.');
  });
  const said = el('div', {class: 'cw-said', 'aria-live': 'polite'});
  const message = el('div', {class: 'cw-message', role: 'alert', hidden: true});
  const keyHint = el('div', {class: 'cw-keyhint'}, hint);
  view.el.classList.add('cw-holder');
  view.el.append(root);
  const theme = watchTheme(view.model, root), dead = keepFocus(root);
  const paint = () => Object.entries(view.model.get('state').colours || {}).forEach(([k, v]) => root.style.setProperty(`--c-${k}`, v));
  view.model.on('change:state', paint);  // the colours of things, for CSS: var(--c-curve)
  paint();
  return {
    root, keyHint, message,
    body(...nodes) { root.append(...nodes, message, said, ...(hint ? [keyHint] : [])); },
    say(text) { setText(said, String(text)); },         // read aloud by a screen reader; call it on release, not per frame
    warn(text) { message.hidden = !text; setText(message, text || ''); },
    close() { theme.disconnect(); dead.disconnect(); view.model.off('change:state', paint); },
  };
}

/** A button that goes dead under the hand would take the focus, and with it the keys, along: the root takes it over. */
function keepFocus(root) {
  let last = null;  // the browser may forget at once which one had the focus
  root.addEventListener('focusin', e => { last = e.target; });
  root.addEventListener('focusout', e => { if (!e.target.disabled) last = null; });
  const observer = new MutationObserver(changes => {
    const lost = [last, document.body].includes(document.activeElement);
    if (last?.disabled && lost && changes.some(o => o.target === last)) root.focus({preventScroll: true});
  });
  observer.observe(root, {subtree: true, attributeFilter: ['disabled']});
  return observer;
}

/** The name of a key that was pressed. Letters are in lower case, whatever Shift and Caps Lock say. */
function keyName(e) {
  const ctrl = e.ctrlKey || e.metaKey, letter = e.key.length === 1;
  return (ctrl ? 'Ctrl+' : '') + (e.shiftKey && (ctrl || !letter) ? 'Shift+' : '') + (letter ? e.key.toLowerCase() : e.key);
}

/** Tell Python when JupyterLab's theme changes: matplotlib draws for it. */
function watchTheme(model, root) {
  const tell = () => {
    root.classList.toggle('cw-dark', isDark());
    if (model.get('dark') === isDark()) return;
    model.set('dark', isDark());
    model.save_changes();
  };
  const observer = new MutationObserver(tell);
  observer.observe(document.body, {attributes: true, attributeFilter: ['data-jp-theme-light']});
  tell();
  return observer;
}

// ---- The line to Python

/**
 * Requests of two kinds. `send` is for what a learner presses or lets go: it goes out at once, and each one counts.
 * `latest` is for what passes by: while a request is on its way it waits, and a newer one takes its place, so that
 * nothing piles up. Python answers each, in order, with the trait `state`, whose `ack` is the request's id.
 */
class Line {
  constructor(model, onBusy = () => {}) {
    Object.assign(this, {model, onBusy, flying: [], waiting: null, name: Math.random().toString(36).slice(2), count: 0});
    this.listen = () => this.heard();
    model.on('change:state', this.listen);
  }
  send(op, args = {}) {
    this.waiting = null;  // what was about to pass by is out of date
    return this.fly({op, ...args});
  }
  latest(op, args = {}) {
    if (!this.flying.length) this.fly({op, ...args});
    else this.waiting = {op, ...args};
  }
  fly(content) {
    const id = `${this.name}-${++this.count}`;
    if (this.closed) return id;
    try { this.model.send({...content, id}); } catch { this.onBusy(true); return id; }  // its kernel has gone
    this.flying.push(id);
    this.wait();
    return id;
  }
  wait() {
    clearTimeout(this.timer);
    if (this.flying.length) this.timer = setTimeout(() => this.onBusy(true), 1500);
  }
  heard() {
    const at = this.flying.indexOf(this.model.get('state').ack);
    if (at < 0) return;
    this.flying.splice(0, at + 1);
    this.onBusy(false);
    this.wait();
    const {waiting} = this;
    this.waiting = null;
    if (waiting) this.latest(waiting.op, waiting);
  }
  get idle() { return !this.flying.length && !this.waiting; }
  close() { this.closed = true; clearTimeout(this.timer); this.model.off('change:state', this.listen); }
}

const BUSY = 'Waiting for Python. If the kernel was restarted, run this cell again.';

// ---- Controls

/** A button that says what it does; `title` adds the key that does the same. */
function button(text, onclick, {title = '', kind = '', pressed = null} = {}) {
  return el('button', {type: 'button', class: `cw-button ${kind}`, title, onclick,
                       'aria-pressed': pressed === null ? null : String(pressed)}, text);
}

/** A check box with its label. */
function toggle(text, on, onchange) {
  const box = el('input', {type: 'checkbox', onchange: () => onchange(box.checked)});
  box.checked = on;
  return Object.assign(el('label', {class: 'cw-toggle'}, box, text), {box});
}

/** A labelled number box. `onvalue` is called with what was entered, when it is entered. */
function numberBox(text, value, onvalue, {min = null, max = null, title = ''} = {}) {
  const box = el('input', {type: 'number', step: 'any', class: 'cw-number', min, max, title, 'aria-label': text});
  box.value = value;
  let last = value;
  const entered = () => Number.isFinite(box.valueAsNumber) ? box.valueAsNumber : last;
  box.addEventListener('change', () => {
    box.value = last = entered();  // what is no number gives way to the last one that was
    onvalue(last);
  });
  return Object.assign(el('label', {class: 'cw-field'}, text, box), {
    box, entered, set(v) { if (document.activeElement !== box) box.value = last = Number(v.toPrecision(6)); }});
}

/** A labelled choice. `options` is a list of [value, text]. */
function choice(text, options, value, onvalue) {
  const box = el('select', {class: 'cw-select', 'aria-label': text, onchange: () => onvalue(box.value)},
    ...options.map(([v, t]) => el('option', {value: v}, t)));
  box.value = value;
  return Object.assign(el('label', {class: 'cw-field'}, text, box), {box});
}

/** Where a key leads on a slider from `lo` to `hi` that stands `at`: a number, or null for any other key. */
function keyPlace(e, {lo, hi, at, step}) {
  const by = {ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10}[e.key];
  if (e.ctrlKey || e.metaKey || e.altKey) return null;
  if (e.key === 'Home') return lo;
  if (e.key === 'End') return hi;
  return by ? Math.min(Math.max(at + by*step, lo), hi) : null;
}

/** What a hint says. `slope` is the change of the loss per unit, `gain` how much it falls over `step`, where known. */
function hintWords(slope, gain, step) {
  if (slope === null || slope === undefined) return '';
  if (!Number.isFinite(slope) || Math.abs(slope) < 1e-9 || gain <= 0) return '● leave it';
  const much = gain === undefined || gain === null ? '' : `: −${fmt(gain, 2)} for ${fmt(step, 2)}`;
  return `${slope < 0 ? '▲ more' : '▼ less'}${much} (slope ${fmt(slope, 3)})`;
}

/**
 * A slider with a box for exact entry. `onmove` hears every place it passes, `onsettle` the one it was left at. A value
 * that is typed may lie outside: the range grows. Arrow keys make one `step`, or 1/200 of the range; Page keys ten times
 * that. With `log` equal ways on the slider are equal factors, as a learning rate wants it; a typed value that is not above
 * 0 is then handed to `onrefused`. The box shows `digits` significant ones.
 */
function slider(name, {lo, hi, value, whole = false, step: stride = whole ? 1 : 0, log = false, label = name, digits = 5, onrefused = null}, onmove, onsettle) {
  const place = log ? Math.log10 : v => v, there = log ? v => Number((10**v).toPrecision(3)) : v => v;
  const s = {name, lo, hi, value, dragging: false, typing: false, timer: null};
  const range = el('input', {type: 'range', class: 'cw-range', step: stride || 'any', min: lo, max: hi, 'aria-label': label});
  const box = el('input', {type: 'number', class: 'cw-number', step: whole ? 1 : 'any', 'aria-label': `${label}, exact value`});
  const hint = el('span', {class: 'cw-hint'});
  const show = (skipBox = false) => {
    range.min = place(s.lo); range.max = place(s.hi); range.value = place(s.value);
    range.setAttribute('aria-valuetext', fmt(s.value));
    if (!skipBox) box.value = Number(s.value.toPrecision(digits));
  };
  const take = (v, skipBox = false) => { s.value = whole ? Math.round(v) : v; show(skipBox); onmove(s.value, s); };
  const rest = () => { clearTimeout(s.timer); s.timer = null; };
  const settle = () => { rest(); s.dragging = false; onsettle(s.value, s); };
  range.addEventListener('input', () => { s.dragging = true; take(there(range.valueAsNumber)); });
  range.addEventListener('change', settle);
  range.addEventListener('blur', () => { if (s.dragging) settle(); });
  range.addEventListener('keydown', e => {
    const [from, to] = [place(s.lo), place(s.hi)];
    const at = keyPlace(e, {lo: from, hi: to, at: place(s.value), step: stride || (to - from)/200});
    if (at === null) return;
    e.preventDefault();
    s.dragging = true;
    const next = Number(there(at).toPrecision(12)), way = Math.sign(at - place(s.value));
    take(whole && way && Math.round(next) === s.value ? s.value + way : next);  // a small step must not round to none
    rest();
    s.timer = setTimeout(settle, 350);  // a run of key presses is one move
  });
  box.addEventListener('input', () => { s.typing = true; });
  box.addEventListener('change', () => {
    const v = box.valueAsNumber;
    s.typing = false;
    if (!Number.isFinite(v) || (log && v <= 0)) {
      show();
      if (Number.isFinite(v)) onrefused?.(v, s);
      return;
    }
    s.lo = Math.min(s.lo, v); s.hi = Math.max(s.hi, v);
    take(v, true);
    settle();
  });
  show();
  return Object.assign(s, sliderMethods(s, {show, settle, rest, box, hint}), {
    range, box, node: el('div', {class: 'cw-slider'}, el('span', {class: 'cw-name', 'aria-hidden': 'true'}, label), range, box, hint)});
}

function sliderMethods(s, {show, settle, rest, box, hint}) {
  return {
    /** Show a value that came from elsewhere; the hand that drags wins. */
    set(v, lo = s.lo, hi = s.hi) {
      if (s.dragging) return;
      Object.assign(s, {value: v, lo: Math.min(lo, v), hi: Math.max(hi, v)});
      show(s.typing);  // what somebody is typing is not written over
    },
    hint(slope, gain, step) { setText(hint, hintWords(slope, gain, step)); },
    say(text) { setText(hint, text); },  // words of the view's own in place of a hint
    /** A run of key presses is over, since something else is about to happen. */
    flush() { if (s.timer) settle(); },
    close: rest,
  };
}

/**
 * Play, pause, step and scrub through frames 0…n−1. `onframe(i)` draws one. The clock is the browser's: a frame that
 * comes late is skipped, and nothing queues. With reduced motion wished for, it goes at four frames a second.
 */
function player(n, onframe, {fps = 30, label = 'step'} = {}) {
  const p = {i: 0, n, fps, playing: false};
  const scrub = el('input', {type: 'range', class: 'cw-range', min: 0, max: Math.max(n - 1, 0), step: 1, value: 0, 'aria-label': label});
  const count = el('span', {class: 'cw-count'});
  const play = button('▶ Play', () => p.playing ? p.pause() : p.play(), {title: 'space'});
  p.show = i => {
    p.i = Math.max(0, Math.min(i, p.n - 1));
    scrub.value = p.i;
    scrub.setAttribute('aria-valuetext', `${label} ${p.i} of ${p.n - 1}`);
    count.textContent = `${label} ${p.i} of ${p.n - 1}`;
    onframe(p.i, p);
  };
  const tick = now => {
    if (!p.playing) return;
    const due = p.from + Math.floor((now - p.since)*(reducedMotion() ? Math.min(4, p.fps) : p.fps)/1000);
    if (due !== p.i) p.show(due);
    if (p.i >= p.n - 1) return p.pause();
    requestAnimationFrame(tick);
  };
  p.play = () => {
    if (p.playing || p.n < 2) return;
    if (p.i >= p.n - 1) p.show(0);
    p.playing = true;
    play.textContent = '‖ Pause';
    requestAnimationFrame(now => { p.since = now; p.from = p.i; tick(now); });
  };
  p.pause = () => { p.playing = false; play.textContent = '▶ Play'; };
  p.step = (by = 1) => { p.pause(); p.show(p.i + by); };
  p.set = (count, at = 0) => { p.pause(); p.n = count; scrub.max = Math.max(count - 1, 0); p.show(at); };
  p.toggle = () => p.playing ? p.pause() : p.play();
  scrub.addEventListener('input', () => { p.pause(); p.show(scrub.valueAsNumber); });
  scrub.addEventListener('keydown', e => {
    const to = keyPlace(e, {lo: 0, hi: p.n - 1, at: p.i, step: 1});
    if (to === null) return;
    e.preventDefault();
    p.pause(); p.show(to);
  });
  p.node = el('div', {class: 'cw-player'}, play, button('◀ Back', () => p.step(-1)), button('Step ▶', () => p.step(1)), scrub, count);
  p.close = p.pause;
  return p;
}

/** The present state as code: a place to read it, and a button that copies it. */
function codeBox(line) {
  const pre = el('pre', {class: 'cw-code', tabindex: '0', 'aria-label': 'the code of this state'});
  const copied = el('span', {class: 'cw-count', role: 'status'});
  const copy = async () => {
    try { await navigator.clipboard.writeText(pre.textContent); copied.textContent = 'copied'; }
    catch { getSelection().selectAllChildren(pre); copied.textContent = 'selected: press Ctrl+C'; }
    setTimeout(() => { copied.textContent = ''; }, 2500);
  };
  const box = el('details', {class: 'cw-codebox', ontoggle: () => box.open && line.send('code')},
    el('summary', {}, 'As code'), button('Copy', copy), copied, pre);
  return {node: box, show(text) { setText(pre, text || ''); }, get open() { return box.open; }};
}
