// Gradient descent for a line: DescentExplorer. The object behind it is course_lib.maths.line.LineDescent.

/**
 * A part of the picture, from `left` and `width` CSS pixels wide: two parts lie side by side where there is room, and one
 * below the other where there is not. All positions stay those of the whole picture.
 */
class Pane extends Plot {
  constructor(label, {left, width}) {
    super(label);
    Object.assign(this, {left, width});
    this.node.classList.add('cw-pane');
  }
  async background(bytes, size, axes) {
    await super.background(bytes, size, axes);
    this.node.style.maxWidth = `${this.width}px`;
    this.node.style.aspectRatio = `${this.width} / ${size[1]}`;
    for (const part of [this.back, this.front]) {
      part.style.width = `${100*size[0]/this.width}%`;
      part.style.left = `${-100*this.left/this.width}%`;
    }
    [this.canvas.width, this.canvas.height] = [this.width*this.scale, size[1]*this.scale];  // no larger than what is seen
    this.paint();
  }
  paint() {
    if (!this.axes) return;
    const ctx = this.canvas.getContext('2d');
    ctx.setTransform(this.scale, 0, 0, this.scale, -this.left*this.scale, 0);
    ctx.clearRect(this.left, 0, this.width, this.size[1]);
    this.painter(ctx, this);
  }
  at(e, k) {
    const box = this.canvas.getBoundingClientRect(), a = this.axes[k], shrink = this.width/box.width;
    const px = this.left + (e.clientX - box.left)*shrink, py = (e.clientY - box.top)*shrink;
    return {x: a.x[0] + (px - a.left)/a.width*(a.x[1] - a.x[0]), y: a.y[1] - (py - a.top)/a.height*(a.y[1] - a.y[0])};
  }
}

/**
 * Descent in a valley ½·aᵀHa + g·a + c, given as [H00, H01, H11, g0, g1]; `valleys` has one for each step, or is null where
 * each step sees `full`. It is what Python does, and Python's own trace takes its place as soon as the hand lets go.
 */
function descent({full, floor, best, valleys, shape, bound}, {lr, momentum, start}) {
  const loss = ([a, b]) => {
    const da = a - best[0], db = b - best[1];
    return floor + (full[0]*da*da + 2*full[1]*da*db + full[2]*db*db)/2;
  };
  const path = [start], losses = [loss(start)], limit = bound*(1 + losses[0]);
  let v = [0, 0];
  for (let i = 0; i < shape.length; i++) {
    const [a, b] = path[i], [h00, h01, h11, g0, g1] = valleys ? valleys[i] : full;
    v = [momentum*v[0] + h00*a + h01*b + g0, momentum*v[1] + h01*a + h11*b + g1];
    path.push([a - lr*shape[i]*v[0], b - lr*shape[i]*v[1]]);
    losses.push(loss(path[i + 1]));
    if (!(losses[i + 1] <= limit)) break;
  }
  return {path, losses};
}

/** The point at a step that need not be whole: between two steps it glides. */
function between(path, t) {
  const i = Math.min(Math.floor(t), path.length - 1), j = Math.min(i + 1, path.length - 1), part = Math.min(t - i, 1);
  return path[i].map((v, k) => v + (path[j][k] - v)*part);
}

class DescentView {
  constructor({model, el: holder}) {
    Object.assign(this, {model, dragging: false, values: {...model.get('state').settings}, version: null});
    this.root = makeRoot({model, el: holder}, {
      label: 'Gradient descent explorer', hint: 'Keys: Space play, ← → one step, 1–4 the four rates, Ctrl+Z undo, Ctrl+Y redo, R reset',
      keys: {' ': () => this.play(p => p.toggle()), ArrowLeft: () => this.play(p => p.step(-1)), ArrowRight: () => this.play(p => p.step(1)),
             r: () => this.do('reset'), 'Ctrl+z': () => this.do('undo'), 'Ctrl+y': () => this.do('redo'), 'Ctrl+Shift+z': () => this.do('redo'),
             ...Object.fromEntries([0, 1, 2, 3].map(i => [String(i + 1), () => this.preset(i)]))}});
    this.line = new Line(model, busy => this.root.warn(busy ? BUSY : this.state.message));
    this.build();
    this.listeners = {'change:state': () => this.heard(), 'change:background': () => this.background(), 'change:rested': () => this.exact()};
    for (const [name, f] of Object.entries(this.listeners)) model.on(name, f);
    this.background();
    this.heard();
    this.exact();
  }
  get state() { return this.model.get('state'); }

  // What there is to see

  build() {
    const s = this.state;
    this.panes = s.panes.map((p, k) => new Pane(s.pane_words[k], p));
    this.panes.forEach((p, k) => { p.painter = ctx => k ? this.paintValley(ctx) : this.paintLine(ctx); });
    this.root.root.classList.add('cw-descent');
    this.player = player(1, () => this.frame(), {label: 'step'});
    this.chart = new Chart('loss after each step', {width: 400, height: 150, xlabel: 'steps', ylabel: 'loss', log: true});
    this.now = el('div', {class: 'cw-row cw-now'});
    this.verdict = el('div', {class: 'cw-words'});
    this.words = el('div', {class: 'cw-words'});
    this.code = codeBox(this.line);
    this.keys = el('div');
    this.compare = toggle('compare with full batch', s.compare, on => { this.flush(); this.ask('compare', {on}); });
    this.startDrag();
    this.root.body(
      el('div', {class: 'cw-columns'}, ...this.panes.map(p => el('div', {class: 'cw-wide'}, p.node))), this.player.node, this.buttons(), this.verdict,
      el('div', {class: 'cw-columns'}, el('div', {class: 'cw-panel'}, this.now, this.chart.node, this.keys, this.words),
        el('div', {class: 'cw-panel'}, ...this.controls(), this.code.node)));
  }
  /** The four rates, and the way back. */
  buttons() {
    this.presets = this.state.presets.map((_, i) => button('', () => this.preset(i), {title: `key ${i + 1}`, pressed: false}));
    this.undo = button('↶ Undo', () => this.do('undo'), {title: 'Ctrl+Z: the settings before'});
    this.redo = button('↷ Redo', () => this.do('redo'), {title: 'Ctrl+Y'});
    return el('div', {class: 'cw-row cw-rates'}, el('span', {}, 'Rates to try:'), ...this.presets,
      el('span', {class: 'cw-gap'}), this.undo, this.redo, button('Reset', () => this.do('reset'), {title: 'R: the settings at the beginning'}));
  }
  /** One control for each setting, and below it the line of code that it stands for. */
  controls() {
    const made = Object.entries(this.state.ranges).map(([name, range]) => slider(name, {...range, value: this.shown(name)},
      v => this.moved({[name]: v}), v => this.settled({[name]: v})));
    this.sliders = Object.fromEntries(made.map(s => [s.name, s]));
    const numbersOf = ['slope', 'intercept'].map((n, k) => numberBox(`start ${n}`, this.values.start[k], v => {
      this.settled({start: this.values.start.map((old, i) => i === k ? v : old)});
    }));
    this.starts = numbersOf;
    this.schedule = choice('schedule', this.state.schedules.map(n => [n, n]), this.values.schedule, v => this.settled({schedule: v}));
    this.seed = numberBox('seed', this.values.seed, v => this.settled({seed: v}), {title: 'shuffles the points for the batches'});
    this.notes = {schedule: el('code', {class: 'cw-codenote'}), start: el('code', {class: 'cw-codenote'})};
    return [el('div', {class: 'cw-sliders'}, ...made.map(s => s.node)), this.compare,
      el('div', {}, el('div', {class: 'cw-row'}, this.schedule, this.seed), this.notes.schedule),
      el('div', {}, el('div', {class: 'cw-row'}, ...numbersOf), this.notes.start)];
  }
  shown(name) { return name === 'batch' ? this.values.batch ?? this.state.n : this.values[name]; }

  // What the hand does

  /** A setting on its way. Rate, momentum and start are followed here; the rest only Python knows. */
  moved(changes) {
    this.hold();
    Object.assign(this.values, changes);
    this.dragging = true;
    if (!this.known(changes)) return this.line.latest('drag', changes);
    this.simulate();
    clearTimeout(this.telling);  // Python hears five times a second, for the words
    this.telling = setTimeout(() => {
      this.told = performance.now();
      if (this.dragging && !this.closed) this.line.latest('drag', changes);
    }, Math.max(0, 200 - (performance.now() - (this.told || 0))));
  }
  known(changes) {
    const fine = {start: () => true, lr: v => v > 0, momentum: v => v >= 0 && v < 1};
    return Object.entries(changes).every(([name, v]) => fine[name]?.(v));
  }
  settled(changes) {
    this.hold();
    Object.assign(this.values, changes);
    this.dragging = false;
    if (this.known(changes)) this.simulate();
    this.ask('set', changes);
  }
  /** A slider that is still held by keys is settled first, so that what follows comes after it. */
  flush() { for (const s of Object.values(this.sliders)) s.flush(); }
  /** A rate to try is played at once: a descent that diverges is over before its end is worth a look. */
  preset(i) { this.flush(); this.settled({lr: this.state.presets[i][1]}); this.eager = true; }
  do(what) { this.flush(); this.hold(); this.ask(what); }
  play(what) { this.flush(); what(this.player); }
  /** A press: until its answer is here, older answers must not undo what the hand has done. */
  ask(op, args) { this.awaited = this.line.send(op, args); }
  hold() { this.player.pause(); clearTimeout(this.looking); this.looking = null; }
  /** Press anywhere on the valley and drag: that is where descent starts. */
  startDrag() {
    const node = this.panes[1].node, a = this.state.axes[1];
    const place = e => {
      const p = this.panes[1].at(e, 1), inside = (v, [lo, hi]) => Number(Math.min(Math.max(v, lo), hi).toPrecision(3));
      return [inside(p.x, a.x), inside(p.y, a.y)];
    };
    const within = e => { const p = this.panes[1].at(e, 1); return p.x >= a.x[0] && p.x <= a.x[1] && p.y >= a.y[0] && p.y <= a.y[1]; };
    node.addEventListener('pointerdown', e => {
      if (e.button || !within(e)) return;
      e.preventDefault();
      this.root.root.focus({preventScroll: true});
      node.setPointerCapture(e.pointerId);
      this.grabbed = true;
      this.moved({start: place(e)});
    });
    node.addEventListener('pointermove', e => { if (this.grabbed) this.moved({start: place(e)}); });
    const drop = e => { if (this.grabbed) { this.grabbed = false; this.settled({start: place(e)}); } };
    node.addEventListener('pointerup', drop);
    node.addEventListener('pointercancel', drop);
  }

  // What is shown

  /** The descent with the values of the moment, before Python has heard of them. */
  simulate() {
    const s = this.state, v = this.values, m = s.valley;
    for (const name of ['lr', 'momentum']) this.sliders[name].set(v[name]);
    this.starts.forEach((box, k) => box.set(v.start[k]));
    this.run = {...descent(m, v), ghost: s.compare && m.valleys ? descent({...m, valleys: null}, v) : null};
    this.show();
  }
  /** A new descent: stay at the step that is looked at, or at the end if that was it. */
  show(at = null) {
    const ended = this.player.i >= this.player.n - 1, n = this.run.path.length, going = this.player.playing;
    this.player.fps = Math.max(8, Math.min(60, n/6));
    this.quiet = true;
    this.player.set(n, at ?? (ended ? n - 1 : this.player.i));
    this.quiet = false;
    if (going) this.player.play();
  }
  frame() {
    if (!this.run) return;
    if (this.player.playing && !this.gliding) this.glide();
    this.draw(this.player.i);
    if (this.quiet) return;
    clearTimeout(this.looking);
    this.looking = setTimeout(() => this.look(), 300);
  }
  /** At rest: matplotlib draws this step too. */
  look() {
    this.looking = null;
    if (this.player.playing) { this.looking = setTimeout(() => this.look(), 300); return; }
    this.root.say(this.now.textContent);
    this.line.latest('look', {at: this.player.i});
  }
  /** While it plays, the point glides from step to step at the pace of the screen. */
  glide() {
    const p = this.player, tick = now => {
      this.gliding = p.playing && !this.closed && !reducedMotion() ? requestAnimationFrame(tick) : null;
      if (!this.gliding) return this.draw(p.i);
      const due = p.since ? p.from + (now - p.since)*p.fps/1000 : p.i;
      this.draw(Math.max(p.i, Math.min(due, p.i + 1, p.n - 1)));
    };
    this.gliding = requestAnimationFrame(tick);
  }
  draw(t) {
    this.t = t;
    this.panes.forEach(p => p.move());
    if (this.t === Math.floor(this.t) || this.shownStep !== Math.floor(this.t)) this.numbers();
  }
  numbers() {
    const i = this.shownStep = Math.min(Math.floor(this.t), this.run.path.length - 1), s = this.state, c = s.colours;
    const [a, b] = this.run.path[i], pair = (name, text) => el('span', {}, `${name} `, el('b', {}, text));
    this.now.replaceChildren(pair('loss', fmt(this.run.losses[i])), pair('slope', fmt(a, 3)), pair('intercept', fmt(b, 3)),
      ...(s.settings.batch ? [pair('epoch', fmt(s.epochs[i] ?? null, 3))] : []),
      ...(this.inside(a, b) ? [] : [el('span', {class: 'cw-away'}, '⚠ outside the picture')]));
    const ghost = this.run.ghost ? [{ys: this.run.ghost.losses, colour: c.descent, dash: [5, 3]}] : [];
    this.chart.set([...ghost, {ys: this.run.losses, colour: c.curve}], {cursor: i, words: s.words[3]});
  }
  inside(a, b) { const {x, y} = this.state.axes[1]; return a >= x[0] && a <= x[1] && b >= y[0] && b <= y[1]; }
  paintLine(ctx) {
    if (!this.run) return;
    const plot = this.panes[0], c = this.state.colours, xs = this.state.axes[0].x;
    const one = ([a, b], style) => plot.line(ctx, xs, xs.map(x => a*x + b), style);
    if (this.run.ghost) one(between(this.run.ghost.path, this.t), {colour: c.descent, width: 1.5, dash: [4, 2]});
    one(between(this.run.path, this.t), {colour: c.curve, width: 2.5});
  }
  paintValley(ctx) {
    if (!this.run) return;
    const c = this.state.colours;
    if (this.run.ghost) this.trail(ctx, this.run.ghost.path, c.descent, [4, 2]);
    this.trail(ctx, this.run.path, c.curve, []);
  }
  /** A path up to now: its steps as dots, the start as a ring, the present place as a large dot. */
  trail(ctx, path, colour, dash) {
    const plot = this.panes[1], whole = path.slice(0, Math.floor(this.t) + 1), here = between(path, this.t), all = [...whole, here];
    plot.line(ctx, all.map(p => p[0]), all.map(p => p[1]), {colour, width: 1.2, dash, k: 1});
    plot.clip(ctx, () => {
      ctx.fillStyle = ctx.strokeStyle = colour;
      if (!dash.length) whole.forEach(p => this.disc(ctx, p, 2.2));
      ctx.lineWidth = 2; ctx.beginPath(); ctx.arc(plot.X(path[0][0], 1), plot.Y(path[0][1], 1), 6, 0, 7); ctx.stroke();
      this.disc(ctx, here, dash.length ? 4 : 5.5);
    }, 1);
  }
  disc(ctx, [a, b], r) {
    const x = this.panes[1].X(a, 1), y = this.panes[1].Y(b, 1);
    if (Math.abs(x) > 1e5 || Math.abs(y) > 1e5) return;
    ctx.beginPath(); ctx.arc(x, y, r, 0, 7); ctx.fill();
  }

  // What Python says

  heard() {
    const s = this.state;
    this.root.warn(s.message);
    this.say();
    if (this.dragging && this.localOnly()) return;
    if (this.awaited && s.ack !== this.awaited) return;
    this.awaited = null;
    this.settings();
    if (s.version !== this.version || s.compare !== this.compared) this.arrived();
    else if (!this.player.playing && !this.looking && this.line.idle && s.at !== this.player.i) this.show(s.at);
    else this.numbers();
  }
  /** Whether what moves is followed here, so that Python's answer of a moment ago would only jolt it. */
  localOnly() { return this.grabbed || this.sliders.lr.dragging || this.sliders.momentum.dragging; }
  arrived() {
    const s = this.state, first = this.version === null;
    Object.assign(this, {version: s.version, compared: s.compare, run: {path: s.path, losses: s.losses, ghost: s.ghost}});
    this.show(first ? s.at : null);
    if (this.eager) this.player.play();
    this.eager = false;
    if (!this.dragging) this.root.say(s.words.join(' '));
  }
  settings() {
    const s = this.state;
    if (!this.dragging) this.values = {...s.settings};
    for (const t of Object.values(this.sliders)) t.set(this.shown(t.name), s.ranges[t.name].lo, s.ranges[t.name].hi);
    this.starts.forEach((box, k) => box.set(this.values.start[k]));
    this.seed.set(this.values.seed);
    this.schedule.box.value = this.values.schedule;
    this.compare.box.checked = s.compare;
    this.undo.disabled = !s.can_undo;
    this.redo.disabled = !s.can_redo;
    this.code.show(s.code);
    const used = s.settings.batch ? `batches of ${s.settings.batch}` : 'all points at each step';
    this.keys.replaceChildren(legend([{name: used, colour: s.colours.curve},
      ...(s.ghost ? [{name: 'full batch', colour: s.colours.descent, dash: true}] : [])]));
    this.panes.forEach(p => p.canvas.setAttribute('aria-label', s.alt));
  }
  /** The sentences, the four rates and the notes in code. */
  say() {
    const s = this.state, [rate, ...rest] = s.words, colon = rate.indexOf(':') + 1;
    this.verdict.replaceChildren(el('p', {}, el('b', {}, rate.slice(0, colon)), rate.slice(colon), ' ', rest[0]));
    this.words.replaceChildren(...rest.slice(1).map(w => el('p', {}, w)));
    this.presets.forEach((b, i) => {
      const [name, lr] = s.presets[i];
      b.textContent = `${name} · ${fmt(lr, 3)}`;
      b.setAttribute('aria-pressed', String(Math.abs(s.settings.lr/lr - 1) < 1e-6));
    });
    for (const [name, text] of Object.entries(s.notes)) {
      const at = this.sliders[name]?.node.querySelector('.cw-hint') ?? this.notes[name];
      at.textContent = text;
      at.classList.add('cw-codenote');
    }
  }
  background() { this.panes.forEach(p => p.background(this.model.get('background'), this.state.size, this.state.axes)); }
  exact() {
    const still = () => !this.dragging && !this.player.playing && this.line.idle && this.player.i === this.state.at;
    this.panes.forEach(p => p.exact(this.model.get('exact'), still));
  }
  close() {
    this.closed = true;
    this.hold();
    clearTimeout(this.telling);
    for (const s of [...Object.values(this.sliders), this.player]) s.close();
    this.line.close();
    this.root.close();
    this.panes.forEach(p => p.close());
    for (const [name, f] of Object.entries(this.listeners)) this.model.off(name, f);
  }
}

export default {render(context) { const view = new DescentView(context); return () => view.close(); }};
