// What the two views of a sheet share, the table and the net: coefficients that are changed, steps that are played, and the
// way from a raw cell to a number. The object behind both is course_lib.training.sheet.Sheet.

const PLAY_WAIT = 100;  // ms between two requests while steps are played
const WAY_LOGS = {e: [Math.log, 'ln'], 2: [Math.log2, 'log₂'], 10: [Math.log10, 'log₁₀']};

/** A long name without its middle: names of levels differ at their end. */
const shortened = (text, most) => text.length > most ? `${text.slice(0, Math.ceil(most/2) - 1)}…${text.slice(-Math.floor(most/2))}` : text;

/** Numbers in a text with the sign for minus; what is part of a name, as in date_2024-03, stays. */
const withMinus = text => text.replace(/(?<![\p{L}\p{N}_])-(?=[\d.])/gu, '−').replace(/(?<=\de)-(?=\d)/g, '−');

/** What a coefficient can still do for the mean loss over all rows. */
function slopeWords(slope, settled, rows) {
  const better = slope < 0 ? '▲ larger lowers the loss' : '▼ smaller lowers the loss';
  return `${settled ? '● leave it' : better} (slope ${fmt(slope, 2)} over all ${rows} rows)`;
}

/** What becomes of a raw cell: a number of the sheet. */
function prepared({does}, cell) {
  const make = {one: () => 1, divide: (v, by) => v/by, log: (v, by) => WAY_LOGS[by][0](1 + v), is: (v, by) => Number(String(v) === by)};
  return does.reduce((v, [what, by]) => make[what](v, by), cell);
}

/** A view of a sheet: the buttons that change its coefficients, and what Python is asked for. The view makes `root` and `line`. */
class SheetPage {
  get state() { return this.model.get('state'); }

  // Making
  /** `what` the buttons change: coefficients, weights. */
  makeTools(what) {
    const act = op => () => this.act(op);
    this.random = button('Randomise', act('randomise'), {title: `R: ${what} between −½ and ½`});
    this.solve = button('Solve', act('solve'), {title: `V: the best ${what}`, kind: 'cw-main'});
    this.stepButton = button('Step', () => this.step(), {title: `S: all ${what}, minus rate × slope`});
    this.playButton = button('▶ Play', () => this.turnPlay(), {title: 'P: step after step'});
    this.steps = choice('steps at once', [['1', '1'], ['10', '10'], ['100', '100']], '1', () => {});
    this.rate = numberBox('learning rate', .1, () => {}, {min: 0, title: 'how far a step goes along the slope'});
    this.undo = button('↶ Undo', act('undo'), {title: 'Ctrl+Z'});
    this.redo = button('↷ Redo', act('redo'), {title: 'Ctrl+Y'});
    const names = {normalise: '', log: '', relus: 'two ReLUs'};  // the first two say which columns, once these are known
    for (const [name, text] of Object.entries(names)) this[name] = toggle(text, true, on => this.act('switch', {[name]: on}));
    this.relus.title = 'two sets of coefficients; each sum is cut off at 0, then both are added';
    const row = (...nodes) => el('div', {class: 'cw-row'}, ...nodes);
    return [row(this.random, this.solve), row(this.stepButton, this.playButton, this.steps, this.rate), row(this.undo, this.redo)];
  }
  /** Keys that do the same. */
  get toolKeys() {
    const act = op => () => this.act(op), redo = act('redo');
    return {s: () => this.step(), p: () => this.turnPlay(), r: act('randomise'), v: act('solve'), 'Ctrl+z': act('undo'), 'Ctrl+y': redo,
      'Ctrl+Shift+z': redo, Escape: () => this.pause()};
  }
  showTools(s) {
    const few = names => names.slice(0, 2).map(n => shortened(n, 20)).join(', ') + (names.length > 2 ? '…' : '');
    const scaled = s.log ? s.scaled : [...s.scaled, ...s.logged];
    const write = (label, text) => setText(label.lastChild, text);
    write(this.normalise, scaled.length ? `normalise: ${few(scaled)} ÷ largest` : 'normalise');
    write(this.log, `log of ${few(s.logged)}`);
    this.normalise.hidden = !s.scaled.length && !s.logged.length;
    this.log.hidden = !s.logged.length;
    this.normalise.box.checked = s.normalise; this.log.box.checked = s.log; this.relus.box.checked = s.relus;
    this.undo.disabled = !s.can_undo; this.redo.disabled = !s.can_redo;
    setText(this.note, s.left_out);
    setText(this.caution, s.cautions.map(text => `⚠ ${text}`).join('\n'));
    this.caution.hidden = !s.cautions.length;
  }
  /** The line above all: loss, accuracy, how the coefficients came about; and why the first two may say little. */
  makeTop() {
    const figure = () => el('span', {class: 'cw-figure'});
    Object.assign(this, {loss: figure(), accuracy: figure(), came: el('span', {class: 'cw-note'}), note: el('div', {class: 'cw-note'}),
      caution: el('div', {class: 'cw-sheet-caution', role: 'note'})});
    return [el('div', {class: 'cw-sheet-top'}, el('span', {}, 'mean loss ', this.loss), el('span', {}, 'accuracy ', this.accuracy, ' of these rows'),
      this.came), this.caution];
  }
  showTop({loss, accuracy}) {
    setText(this.loss, loss < 1000 ? loss.toFixed(4) : fmt(loss));
    setText(this.accuracy, `${(100*accuracy).toFixed(1)} %`);
  }

  // What Python says
  /** The raw table with what was changed since it was given; `given` has what stood in a changed cell. */
  rawNow(edits) {
    const raw = this.model.get('raw'), cells = {...raw.cells}, given = new Map();
    for (const name of new Set(edits.map(e => e[1]))) cells[name] = [...cells[name]];
    for (const [i, name, text] of edits) cells[name][i] = text;
    for (const [i, name] of edits) if (cells[name][i] !== raw.cells[name][i]) given.set(`${i} ${name}`, raw.cells[name][i]);
    return {...raw, cells, given};
  }
  /** What went wrong is said once: it stays until the hand moves on. */
  news(message) {
    if (message !== this.warned) this.root.warn(withMinus(message));
    this.warned = message;
    if (message) this.pause();
  }

  // What the hand does
  /** A change is sent; what it answers is news, though it be the same words as before. */
  send(op, args = {}) { this.warned = null; return this.line.send(op, args); }
  act(op, args = {}) { this.pause(); this.run++; this.send(op, args); }
  get stepping() { return {lr: this.rate.entered(), n: Number(this.steps.box.value)}; }
  step() { this.act('step', this.stepping); }
  turnPlay() { if (this.playing) this.pause(); else this.play(); }
  play() {
    this.playing = true;
    this.run++;
    setText(this.playButton, '‖ Pause');
    this.goOn();
  }
  /** The next step, when the last one is here and has been seen. */
  goOn() {
    clearTimeout(this.timer);
    const go = () => { if (this.playing) this.beat = this.send('step', {...this.stepping, run: this.run}); };
    this.timer = setTimeout(go, reducedMotion() ? 4*PLAY_WAIT : PLAY_WAIT);
  }
  pause() {
    if (!this.playing) return;
    clearTimeout(this.timer);
    this.playing = false;
    this.run++;
    setText(this.playButton, '▶ Play');
  }
}
