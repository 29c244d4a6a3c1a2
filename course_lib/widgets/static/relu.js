// One, two, many ReLUs that add up to any curve: ReLUFitter. The object behind it is course_lib.maths.relus.ReLUFit.

// ---- The sum of n ReLUs. `p` holds w, m, b of each part in turn, and c at the end.

const reluCount = p => (p.length - 1)/3;
const reluPart = (p, i, x) => p[3*i]*Math.max(p[3*i + 1]*x + p[3*i + 2], 0);

function reluSum(p, x) {
  let sum = p[p.length - 1];
  for (let i = 0; i < p.length - 1; i += 3) sum += p[i]*Math.max(p[i + 1]*x + p[i + 2], 0);
  return sum;
}

/** Where part i bends; null where its slope is 0. */
const reluHinge = (p, i) => p[3*i + 1] === 0 ? null : -p[3*i + 2]/p[3*i + 1];

/** The mean squared error and its slope in each parameter. */
function reluLoss(p, xs, ys) {
  const slopes = new Array(p.length).fill(0), last = p.length - 1, n = xs.length;
  let loss = 0;
  for (let k = 0; k < n; k++) {
    const off = reluSum(p, xs[k]) - ys[k], pull = 2*off/n;
    loss += off*off/n;
    slopes[last] += pull;
    for (let i = 0; i < last; i += 3) {
      const line = p[i + 1]*xs[k] + p[i + 2];
      if (line <= 0) continue;
      slopes[i] += pull*line;
      slopes[i + 1] += pull*p[i]*xs[k];
      slopes[i + 2] += pull*p[i];
    }
  }
  return {loss, slopes};
}

/** The x between which the sum is straight. */
function reluKnots(p, lo, hi) {
  const bends = Array.from({length: reluCount(p)}, (_, i) => reluHinge(p, i));
  return [lo, ...bends.filter(x => x !== null && x > lo && x < hi).sort((a, b) => a - b), hi];
}

/**
 * Where the hinges are marked, in CSS pixels: below each a triangle at the edge of the axes; one that lies outside
 * points to its side, and those on one side lie above each other. `few`: so few that each has its number.
 */
function reluMarks(p, axes, selected, few) {
  const marks = [], right = axes.left + axes.width, foot = axes.top + axes.height, beside = {left: 0, right: 0};
  for (let i = 0; i < reluCount(p); i++) {
    const x = reluHinge(p, i);
    if (x === null) continue;
    const px = axes.left + (x - axes.x[0])/(axes.x[1] - axes.x[0])*axes.width;
    const side = px < axes.left ? 'left' : px > right ? 'right' : '';
    if (side && !few && i !== selected) continue;
    marks.push(side ? {i, side, px: side === 'left' ? axes.left : right, py: foot - 8 - 18*beside[side]++} : {i, side, px, py: foot});
  }
  return marks;
}

const FEW = 8;        // up to so many parts have numbers and rings
const ALL = 2;        // up to so many parts have all their sliders
const REACH = 13;     // CSS pixels: how near to a hinge is on it
const LETTERS = ['w', 'm', 'b'];

// ---- The sliders of the parts that are shown

class ReLUSliders {
  /** `heard(index, value)` and `hinge(part, x)` hear moves, `settled()` the end of one. */
  constructor(heard, hinge, settled) {
    Object.assign(this, {heard, hinge, settled, list: [], node: el('div', {class: 'cw-parts'})});
  }
  /** Make the sliders of these parts, unless they are there. */
  show(parts, state, p) {
    const key = `${state.n}:${parts}`;
    if (this.key === key) return;
    const held = this.list.find(s => s.node.contains(document.activeElement))?.letter;
    this.close();
    Object.assign(this, {key, parts, list: []});
    const groups = parts.map(i => el('div', {class: 'cw-part', role: 'group', 'aria-label': `part ${i + 1}`},
      ...[...LETTERS.map((_, k) => this.one(state, p, 3*i + k)), this.bend(state, p, i)].map(s => s.node)));
    this.node.replaceChildren(...groups, el('div', {class: 'cw-part'}, this.one(state, p, 3*state.n).node));
    if (held) this.list.find(s => s.letter === held)?.range.focus();  // the same slider of another part
  }
  one(state, p, index) {
    const end = index === 3*state.n, letter = end ? 'c' : LETTERS[index % 3], name = end ? 'c' : `${letter}${Math.floor(index/3) + 1}`;
    const [lo, hi] = state.ranges[letter];
    const s = slider(name, {lo: Math.min(lo, p[index]), hi: Math.max(hi, p[index]), value: p[index]},
      v => this.heard(index, v), () => this.settled());
    this.list.push(Object.assign(s, {index, letter}));
    return s;
  }
  bend(state, p, i) {
    const [lo, hi] = state.axes[0].x, at = reluHinge(p, i);
    const s = slider(`hinge${i + 1}`, {lo, hi, value: Math.max(lo, Math.min(hi, at ?? lo)), label: `hinge${i + 1}`},
      v => this.hinge(i, v), () => this.settled());
    this.list.push(Object.assign(s, {part: i, letter: 'hinge', lo0: lo, hi0: hi}));
    return s;
  }
  /** Let them stand where the parameters are. What has not changed is left alone: writing to the page is what costs. */
  set(p) {
    for (const s of this.list) {
      const at = s.part === undefined ? p[s.index] : reluHinge(p, s.part);
      if (s.shown === at && s.value === at) continue;
      s.shown = at;
      if (s.part === undefined) { s.set(at); continue; }
      s.range.disabled = s.box.disabled = at === null;
      if (at !== null) s.set(Math.max(s.lo0, Math.min(s.hi0, at)), s.lo0, s.hi0);
    }
  }
  /** Say which way improves, from the slope of the loss in each parameter; null says nothing. */
  hint(p, slopes) {
    for (const s of this.list) {
      if (s.part === undefined) { s.hint(slopes && slopes[s.index]); continue; }
      const at = reluHinge(p, s.part);
      const note = s.node.querySelector('.cw-hint');
      if (at === null) setText(note, 'slope 0: no hinge');
      else if (at < s.lo0 || at > s.hi0) setText(note, `it lies outside, at ${fmt(at)}`);
      else s.hint(slopes && -p[3*s.part + 1]*slopes[3*s.part + 2]);
    }
  }
  /** What was begun by keys is settled now. */
  flush() { for (const s of this.list) s.flush(); }
  close() { for (const s of this.list) s.close(); }
}

// ---- Descent, played while Python still computes

/** Frames come in portions; the next is asked for in good time. */
class ReLURun {
  constructor(ask, show, ended) {
    Object.assign(this, {ask, show, ended, rows: [], i: -1, done: false, fps: 30, running: true, waiting: true, last: 0});
    this.tick = now => this.next(now);
    requestAnimationFrame(this.tick);
  }
  /** More frames: rows of a loss and the parameters. */
  add(rows, done) { this.rows.push(...rows); Object.assign(this, {done, waiting: false}); }
  next(now) {
    if (!this.running) return;
    const due = now - this.last >= 1000/(reducedMotion() ? 4 : this.fps) - 4;
    if (due && this.i < this.rows.length - 1) { this.last = now; this.show(this.rows[++this.i], this); }
    else if (this.done && this.i >= this.rows.length - 1) return this.ended();
    if (!this.done && !this.waiting && this.rows.length - this.i < 20) { this.waiting = true; this.ask(); }
    requestAnimationFrame(this.tick);
  }
  stop() { this.running = false; }
}

/** The rows in a buffer of float32 that came from Python. */
function reluRows(view, width) {
  const all = new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength)), rows = [];
  for (let i = 0; i + width <= all.length; i += width) rows.push(Array.from(all.subarray(i, i + width)));
  return rows;
}

// ---- The view

class ReLUView {
  constructor({model, el: holder}) {
    Object.assign(this, {model, dragging: false, drawing: false, stroke: null, held: null, run: null});
    this.p = [...this.state.values];
    this.selected = this.state.selected;
    this.root = makeRoot({model, el: holder}, {
      label: 'Add up ReLUs by hand or by gradient',
      hint: 'Keys: S step, Space fit or stop, N and P next and previous part, D draw, Ctrl+Z undo, Ctrl+Y redo, R reset; on a slider the arrows',
      keys: {s: () => this.step(), ' ': () => this.fit(), r: () => this.do('reset'), n: () => this.turn(1), p: () => this.turn(-1),
             d: () => this.pencil(), Escape: () => this.draw(false), 'Ctrl+z': () => this.do('undo'),
             'Ctrl+y': () => this.do('redo'), 'Ctrl+Shift+z': () => this.do('redo')}});
    this.line = new Line(model, busy => this.busy(busy));
    this.build();
    this.mouse();
    this.listeners = {'change:state': () => this.heard(), 'change:background': () => this.background(),
                      'change:rested': () => this.exact(), 'change:data': () => this.plot.draw()};
    for (const [name, f] of Object.entries(this.listeners)) model.on(name, f);
    this.background();
    this.heard();
    this.exact();
  }
  get state() { return this.model.get('state'); }
  get data() { return this.model.get('data'); }
  get few() { return this.state.n <= FEW; }

  build() {
    this.plot = new Plot(this.state.alt);
    this.plot.painter = ctx => this.paint(ctx);
    this.plot.node.classList.add('cw-hinged');
    this.sliders = new ReLUSliders((k, v) => this.moved(k, v), (i, x) => this.bent(i, x), () => this.settled());
    this.loss = el('span', {class: 'cw-figure'});
    this.best = el('span', {class: 'cw-note'});
    this.share = el('div', {class: 'cw-note'});
    this.lr = numberBox('learning rate', this.state.lr, v => this.line.send('rate', {lr: v}), {title: 'the size of a gradient step'});
    this.hints = toggle('hints', true, () => this.numbers());
    this.progress = el('progress', {max: 1, value: 0, 'aria-label': 'progress of the fit', hidden: true});
    this.note = el('div', {class: 'cw-note'});
    this.chart = new Chart('loss after each move', {xlabel: 'moves', ylabel: 'loss', log: true, width: 480, height: 150});
    this.code = codeBox(this.line);
    this.buttons();
    this.layout();
  }
  buttons() {
    const press = (text, what, title) => button(text, () => this.do(what), {title});
    this.undo = press('↶ Undo', 'undo', 'Ctrl+Z');
    this.redo = press('↷ Redo', 'redo', 'Ctrl+Y');
    this.toBest = press('★ Best', 'best', 'back to the lowest loss so far');
    this.reset = press('Reset', 'reset', 'R: back to the same start');
    this.one = button('Step', () => this.step(), {title: 'S: one gradient step', kind: 'cw-main'});
    this.fitButton = button('▶ Fit by gradient', () => this.fit(), {title: 'space: fit by gradient; press again to stop'});
    this.count = numberBox('ReLUs', this.state.n, v => this.recount(v), {min: 1, max: 64, title: 'how many parts, 1 to 64'});
    this.count.box.step = 1;
    this.fewer = button('−', () => this.recount(this.state.n - 1), {title: 'one ReLU fewer'});
    this.more = button('+', () => this.recount(this.state.n + 1), {title: 'one ReLU more'});
    this.fewer.setAttribute('aria-label', 'one ReLU fewer');
    this.more.setAttribute('aria-label', 'one ReLU more');
    this.previous = button('◀', () => this.turn(-1), {title: 'P: the part before'});
    this.following = button('▶', () => this.turn(1), {title: 'N: the next part'});
    this.previous.setAttribute('aria-label', 'previous part');
    this.following.setAttribute('aria-label', 'next part');
    this.which = el('span', {class: 'cw-count'});
    this.turner = el('div', {class: 'cw-row'}, this.previous, this.which, this.following,
      el('span', {class: 'cw-note'}, 'or click a part'));
    this.target = choice('target', this.state.targets.map(t => [t, t]), this.state.target, v => this.retarget(v));
    this.drawButton = button('✎ Draw target', () => this.pencil(), {title: 'D: then press and drag over the plot', pressed: false});
  }
  layout() {
    const c = this.state.colours;
    this.legendHolder = el('div', {}, this.legend(c));
    const row = (...nodes) => el('div', {class: 'cw-row'}, ...nodes);
    const panel = el('div', {class: 'cw-panel cw-relu-panel'},
      row(el('span', {}, 'mean squared error'), this.loss), row(this.share, this.best),
      row(this.fewer, this.count, this.more), this.turner, this.sliders.node,
      row(this.one, this.fitButton, this.lr), this.progress, this.note,
      row(this.undo, this.redo, this.toBest, this.reset, this.hints));
    const wide = el('div', {class: 'cw-wide cw-relu-plot'}, this.plot.node, this.legendHolder, row(this.target, this.drawButton));
    const trail = el('div', {class: 'cw-relu-trail'}, this.chart.node, this.code.node);
    this.root.body(el('div', {class: 'cw-relu'}, el('div', {class: 'cw-relu-grid'}, wide, panel, trail)));
  }
  legend(c) {
    return legend([{name: 'target', colour: c.data, dot: this.state.points}, {name: 'each ReLU', colour: c.other, dash: true},
                   {name: 'their sum', colour: c.curve}, {name: '△ hinge: drag it', colour: 'transparent', dot: true}]);
  }

  // What the hand does with sliders and buttons
  moved(index, value) { this.stop(); this.fitted = null; this.p[index] = value; this.changed(); }
  bent(i, x) { this.stop(); this.fitted = null; this.p[3*i + 2] = -this.p[3*i + 1]*x; this.changed(); }
  changed() {
    this.dragging = true;
    this.plot.move();
    if (performance.now() - (this.told || 0) < 100) return;  // Python need not hear every place
    this.told = performance.now();
    this.line.latest('drag', {values: this.p});
  }
  settled() {
    this.dragging = false;
    this.line.send('move', {values: this.p});
  }
  /** Before anything else is done: a hand that is still on a slider has made its move, and a fit ends here. */
  halt() { this.sliders.flush(); this.stop(); this.fitted = null; }
  do(what) { this.halt(); this.line.send(what); }
  step() { this.halt(); this.line.send('step', {lr: this.lr.box.valueAsNumber}); }
  recount(n) {
    const whole = Math.max(1, Math.min(64, Math.round(n)));
    this.count.box.value = whole;
    if (whole !== this.state.n) { this.halt(); this.line.send('count', {n: whole}); }
  }
  retarget(name) {
    this.halt();
    this.line.send('target', {name});
  }
  turn(by) { this.select((this.selected + by + this.state.n) % this.state.n); }
  select(i) {
    if (i === this.selected) return;
    this.sliders.flush();
    this.selected = i;
    this.plot.move();
    this.numbers();
    this.line.send('select', {part: i});
    this.root.say(`part ${i + 1}`);
  }

  // What the hand does in the picture
  mouse() {
    const node = this.plot.node;
    node.addEventListener('pointerdown', e => e.button === 0 && this.down(e));
    node.addEventListener('pointermove', e => this.over(e));
    node.addEventListener('pointerup', () => this.up());
    node.addEventListener('pointercancel', () => { this.stroke = null; this.up(); });
  }
  down(e) {
    if (!this.plot.axes) return;
    const at = this.plot.at(e), hit = this.drawing ? null : this.hit(at);
    if (this.drawing) this.stroke = [this.within(at)];
    else if (hit === null) return;
    else if (hit.bend) { this.stop(); this.held = hit.i; this.select(hit.i); }
    else return this.select(hit.i);
    e.preventDefault();
    this.root.root.focus({preventScroll: true});
    this.plot.node.setPointerCapture(e.pointerId);
  }
  over(e) {
    if (!this.plot.axes) return;
    const at = this.plot.at(e);
    if (this.stroke) {
      for (const part of e.getCoalescedEvents?.() || [e]) this.stroke.push(this.within(this.plot.at(part)));
      return this.plot.move();
    }
    if (this.held !== null) return this.bent(this.held, this.within(at)[0]);
    const hit = this.drawing ? null : this.hit(at);
    this.plot.node.style.cursor = this.drawing ? 'crosshair' : !hit ? '' : hit.bend ? 'ew-resize' : 'pointer';
  }
  up() {
    if (this.stroke) {
      this.line.send('draw', {points: this.stroke});
      this.draw(false, true);
    }
    if (this.held !== null) { this.held = null; if (this.dragging) this.settled(); }
  }
  /** The point, moved into the axes. */
  within({x, y}) {
    const a = this.plot.axes[0], into = (v, [lo, hi]) => Math.max(lo, Math.min(hi, v));
    return [into(x, a.x), into(y, a.y)];
  }
  /** The hinge, else the part, under the mouse; null where there is none. */
  hit({x, px, py}) {
    const c = this.p[this.p.length - 1], near = [];
    for (const m of reluMarks(this.p, this.plot.axes[0], this.selected, this.few)) {
      const ring = m.side || !(this.few || m.i === this.selected) ? Infinity : Math.hypot(m.px - px, this.plot.Y(c) - py);
      near.push({i: m.i, bend: true, far: Math.min(Math.hypot(m.px - px, m.py - 5 - py), ring)});
    }
    const best = list => list.sort((a, b) => a.far - b.far || (b.i === this.selected) - (a.i === this.selected))[0];
    const hinge = best(near);
    if (hinge && hinge.far <= REACH) return hinge;
    const parts = Array.from({length: this.state.n}, (_, i) => ({i, bend: false, value: reluPart(this.p, i, x)}))
      .filter(o => o.value !== 0).map(o => ({...o, far: Math.abs(this.plot.Y(c + o.value) - py)}));
    const part = best(parts);
    return part && part.far <= 7 ? part : null;
  }
  pencil() { this.sliders.flush(); this.draw(!this.drawing); }
  /** Begin or end drawing a target; `keep` lets the stroke stay until Python has made data of it. */
  draw(on, keep = false) {
    if (on) this.stop();
    this.drawing = on;
    if (!keep) this.stroke = null;
    this.pending = keep ? this.stroke : null;
    this.stroke = null;
    this.drawButton.setAttribute('aria-pressed', String(on));
    this.plot.node.classList.toggle('cw-drawing', on);
    this.note.textContent = on ? 'Press and drag over the plot, from left to right. Escape ends drawing.' : '';
    this.plot.move();
  }

  // Descent
  fit() {
    this.sliders.flush();
    if (this.run) return this.stop();
    this.draw(false);
    this.run = new ReLURun(() => this.ask('more'), (row, run) => this.frame(row, run), () => this.stop());
    this.ask('train');
    this.fitButton.textContent = '■ Stop';
    this.progress.hidden = false;
    this.progress.removeAttribute('value');  // moving to and fro until the first frames come
  }
  ask(op) { this.asked = this.line.send(op); }
  /** While a fit begins (torch takes its time when it is first used) the bar moves and a note is enough. */
  busy(on) {
    if (on && this.run) this.note.textContent = BUSY;
    else this.root.warn(on ? BUSY : this.state.message);
  }
  portion() {
    const s = this.state;
    this.asked = null;
    if (!s.run) { this.stop(false); return this.heard(); }  // it could not go on: the message says why
    this.run.add(reluRows(this.model.get('frames'), s.values.length + 1), s.run.done);
    this.run.steps = s.run.steps;
    this.run.every = s.run.every;
  }
  frame([loss, ...p], run) {
    this.p = p;
    this.plot.move();
    const at = Math.min(run.i*run.every, run.steps);
    this.progress.value = at/run.steps;
    this.note.textContent = `step ${at} of ${run.steps}`;
    if (run.i % 4 === 0) this.descent(run, loss);
  }
  /** The losses of the fit in place of those of the moves; they stay until the next move. */
  descent({rows, i, every}, loss) {
    this.fitted = {rows, i, every};
    this.chart.xlabel = `× ${every} steps`;
    this.chart.set([{ys: rows.slice(0, i + 1).map(r => r[0]), colour: this.state.colours.descent, dash: [5, 3]}],
      {words: `while descending, now ${fmt(loss)}`});
  }
  /** End the fit where it is. One that has not answered yet is forgotten: `asked` no longer names it. */
  stop(land = true) {
    if (!this.run) return;
    const run = this.run;
    run.stop();
    this.run = this.asked = null;
    this.fitButton.textContent = '▶ Fit by gradient';
    this.progress.hidden = true;
    if (land && run.i >= 0) this.line.send('land', {frame: run.i});
  }

  // What Python says
  heard() {
    const s = this.state;
    if (this.run) return s.ack === this.asked ? this.portion() : undefined;
    if (!this.dragging && this.line.idle) this.follow(s);  // else a newer state is on its way
    if (!this.drawing && !this.stroke) this.pending = null;
    this.lr.set(s.lr);
    this.root.warn(s.message);
    this.code.show(s.code);
    if (this.dragging) return;                     // nothing of what follows has changed
    this.trail(s);
    this.plot.move();
  }
  /** Take over values and selection. */
  follow(s) {
    this.p = [...s.values];
    this.selected = s.selected;
    this.count.set(s.n);
    if (s.targets.length !== this.target.box.length) this.target.box.replaceChildren(...s.targets.map(t => el('option', {value: t}, t)));
    this.target.box.value = s.target;
    this.fewer.disabled = s.n <= 1;
    this.more.disabled = s.n >= 64;
    this.turner.hidden = s.n <= ALL;
    this.numbers();
    this.root.say(`loss ${fmt(s.loss)}`);
    this.plot.canvas.setAttribute('aria-label', s.alt);
  }
  background() {
    this.legendHolder.replaceChildren(this.legend(this.state.colours));
    this.plot.background(this.model.get('background'), this.state.size, this.state.axes);
  }
  exact() { this.plot.exact(this.model.get('exact'), () => !this.dragging && !this.run && !this.drawing && this.line.idle); }
  trail(s) {
    this.undo.disabled = !s.can_undo;
    this.redo.disabled = !s.can_redo;
    this.toBest.disabled = s.best === null || s.loss === s.best;
    this.best.textContent = s.best === null ? '' : `best ${fmt(s.best)}`;
    if (!this.drawing) this.note.textContent = '';
    if (this.fitted) return this.descent(this.fitted, s.loss);
    this.chart.xlabel = 'moves';
    this.chart.set([{ys: s.trail, colour: s.colours.curve, marks: s.trail.length < 40, best: lowest(s.trail)}], {words: `now ${fmt(s.loss)}`});
  }

  // What the eye sees
  numbers() {
    const s = this.state, {x, y} = this.data, n = reluCount(this.p);
    if (n !== s.n) return;                         // the last frame of a run before the count changed
    const {loss, slopes} = reluLoss(this.p, x, y), share = loss/s.variance;
    this.loss.textContent = fmt(loss);
    this.loss.dataset.value = loss;
    this.share.textContent = s.variance ? `${fmt(100*share, 3)} % of the target’s variance${share <= .01 ? ' ✓' : ''}` : '';
    this.which.textContent = `part ${this.selected + 1} of ${s.n}`;
    this.sliders.show(n <= ALL ? Array.from({length: n}, (_, i) => i) : [this.selected], s, this.p);
    this.sliders.set(this.p);
    const t = performance.now(), moving = this.dragging || this.run;
    if (moving && t - (this.hinted || 0) < 120) return;  // nobody reads words sixty times a second
    this.hinted = t;
    this.sliders.hint(this.p, this.hints.box.checked ? slopes : null);
  }
  paint(ctx) {
    if (this.dragging || this.run) this.numbers();  // with the picture, so never oftener than it is seen
    const p = this.p, s = this.state, c = s.colours, a = this.plot.axes[0], [lo, hi] = a.x;
    if (this.drawing || this.pending) return this.sketch(ctx, this.stroke || this.pending || []);
    const xs = reluKnots(p, lo, hi), parts = () => { for (let i = 0; i < reluCount(p); i++) this.part(ctx, i, p, c); };
    if (!this.few) parts();
    this.plot.line(ctx, xs, xs.map(x => reluSum(p, x)), {colour: c.curve, width: 2.5});
    if (this.few) parts();                          // a part that alone makes the sum would be hidden by it
    for (const m of reluMarks(p, a, this.selected, this.few)) this.mark(ctx, m, c);
  }
  part(ctx, i, p, c) {
    const [lo, hi] = this.plot.axes[0].x, at = reluHinge(p, i), base = p[p.length - 1], on = i === this.selected;
    const xs = at !== null && at > lo && at < hi ? [lo, at, hi] : [lo, hi];
    this.plot.line(ctx, xs, xs.map(x => base + reluPart(p, i, x)),
      {colour: c.other, width: on ? 1.8 : 1.1, dash: [4, 2], alpha: on ? 1 : this.few ? .75 : .35});
  }
  mark(ctx, {i, side, px, py}, c) {
    const on = i === this.selected, turn = {left: 1, right: -1}[side];
    const [wide, high] = this.few || on ? [6, 11] : [3.5, 8];
    const corners = side ? [[px, py], [px + 10*turn, py - 6], [px + 10*turn, py + 6]] : [[px - wide, py], [px + wide, py], [px, py - high]];
    ctx.strokeStyle = ctx.fillStyle = c.ink;
    ctx.lineWidth = 1.4;
    ctx.beginPath();
    corners.forEach(([x, y], k) => k ? ctx.lineTo(x, y) : ctx.moveTo(x, y));
    ctx.closePath();
    ctx.stroke();
    if (on) ctx.fill();
    if (!this.few && !on) return;
    ctx.font = '12px "DejaVu Sans", Verdana, sans-serif';
    ctx.textAlign = 'center';
    ctx.textBaseline = 'alphabetic';
    if (side) return ctx.fillText(String(i + 1), px + 18*turn, py + 4.5);
    ctx.fillText(String(i + 1), px, py - 15);
    const y = this.plot.Y(this.p[this.p.length - 1]);
    this.plot.clip(ctx, () => { ctx.beginPath(); ctx.arc(px, y, 4.5, 0, 7); ctx.stroke(); if (on) ctx.fill(); });
  }
  /** A target being drawn, over a target that has faded. */
  sketch(ctx, points) {
    const a = this.plot.axes[0], c = this.state.colours;
    ctx.fillStyle = getComputedStyle(this.root.root).getPropertyValue('--paper') || '#fff';
    ctx.globalAlpha = .8;
    ctx.fillRect(a.left + 1, a.top + 1, a.width - 2, a.height - 2);
    ctx.globalAlpha = 1;
    if (!points.length) {
      ctx.fillStyle = c.ink;
      ctx.font = '15px sans-serif';
      ctx.textAlign = 'center';
      return ctx.fillText('Press here and drag: your target', a.left + a.width/2, a.top + a.height/2);
    }
    this.plot.line(ctx, points.map(q => q[0]), points.map(q => q[1]), {colour: c.data, width: 3});
  }
  close() {
    if (this.run) this.run.stop();
    this.run = null;
    this.line.close();
    this.root.close();
    this.plot.close();
    this.sliders.close();
    for (const [name, f] of Object.entries(this.listeners)) this.model.off(name, f);
  }
}

export default {render(context) { const view = new ReLUView(context); return () => view.close(); }};
