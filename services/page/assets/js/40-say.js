// What is read out. A screen reader must not speak at every poll: only a new state, a connection
// lost or found, a fifth of the way gone, and the marks before an opening.
const SAY_EVERY_MS = 60000;
const MARKS_S = [600, 300, 60, 10];

function speaker(element) {
  let [state, offline, at, ahead, mark] = [null, false, 0, null, null];
  const out = (sentence) => {
    at = Date.now();
    element.textContent = sentence;
  };
  return (model, words) => {
    const lost = model.trouble === "offline";
    const left = (model.opensAt - serverTime()) / 1000;
    const passed = MARKS_S.find((s, i) => left <= s && left > (MARKS_S[i + 1] || 0)) || null;
    const news =
      model.state === "waiting" ? fill(words.ahead, number(Math.max(0, model.ahead - 1)), forecast(words, model.low, model.high)) : "";
    if (lost !== offline) {
      offline = lost;
      out(lost ? words.offline : words.back);
    } else if (model.state !== state) {
      [state, ahead, mark] = [model.state, model.ahead, passed];
      out(`${headOf(model, words)}. ${news || leadOf(model, words)}`);
    } else if (state === "before" && passed && passed !== mark) {
      mark = passed;
      out(fill(words.until, wait(words, passed)));
    } else if (news && model.ahead <= ahead * 0.8 && Date.now() - at >= SAY_EVERY_MS) {
      ahead = model.ahead;
      out(news);
    }
  };
}
