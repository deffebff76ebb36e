// Words in sentences. `WORDS` stands before this part: words/en.json and words/ko.json.

/** `text` with `{n}` and `{m}` filled in. */
const fill = (text, n, m) => text.replace("{n}", n).replace("{m}", m);

/** The language to begin with: chosen before, else the browser's first that we speak. */
function firstLanguage() {
  const chosen = keep.get("urr-lang");
  if (WORDS[chosen]) return chosen;
  for (const wanted of navigator.languages || [navigator.language || ""]) {
    const known = wanted.slice(0, 2).toLowerCase();
    if (WORDS[known]) return known;
  }
  return "en";
}

/** A wait in words. Coarse on purpose: a forecast to the second would be a lie. */
function wait(words, seconds) {
  if (seconds < 10) return words.any;
  if (seconds < 55) return fill(words.s, Math.ceil(seconds / 10) * 10);
  let minutes = Math.ceil(seconds / 60);
  if (minutes > 10) minutes = Math.ceil(minutes / 5) * 5;
  if (minutes < 60) return fill(words.min, minutes);
  return fill(minutes % 60 ? words.hmin : words.h, Math.floor(minutes / 60), minutes % 60);
}

/** The forecast: half of the people wait at most `low`, nine of ten at most `high` seconds. */
function forecast(words, low, high) {
  if (low === null) return words.unknown;
  const from = wait(words, low);
  const to = wait(words, Math.max(low, high || 0));
  if (from === to) return from === words.any ? from : fill(words.about, from);
  return fill(from === words.any ? words.within : words.range, from, to);
}

/** What is left until an opening, as a clock face. */
function face(ms) {
  const s = Math.max(0, Math.ceil(ms / 1000));
  const pad = (n) => String(n).padStart(2, "0");
  const short = `${pad(Math.floor(s / 60) % 60)}:${pad(s % 60)}`;
  return s < 3600 ? short : `${Math.floor(s / 3600)}:${short}`;
}
