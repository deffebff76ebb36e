// Asking the server, and knowing its time: a visitor's own clock may be wrong by hours.
const ANSWER_WITHIN_MS = 10000;
let skewMs = 0;
const serverTime = () => Date.now() + skewMs;

/** An answer: `{status, body, retryMs}`; throws when there was none. */
async function ask(url, post) {
  const cut = new AbortController();
  const timer = setTimeout(() => cut.abort(), ANSWER_WITHIN_MS);
  const sent = Date.now();
  try {
    const options = { cache: "no-store", signal: cut.signal };
    if (post) Object.assign(options, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(post) });
    const response = await fetch(url, options);
    const body = (await response.json().catch(() => null)) || {};
    const middle = (sent + Date.now()) / 2;
    const stamp = Date.parse(response.headers.get("date") || "");
    if (Number.isFinite(body.serverNow)) skewMs = body.serverNow - middle;
    // Whole seconds: half of one either way.
    else if (Number.isFinite(stamp)) skewMs = stamp + 500 - middle;
    const after = Number(body.retryAfter || response.headers.get("retry-after"));
    return { status: response.status, body, retryMs: after > 0 ? Math.min(after, 300) * 1000 : 0 };
  } finally {
    clearTimeout(timer);
  }
}

/** Where to go when admitted: what `?return=` says if that is allowed, else the shop's own page. */
function destination(settings, sale) {
  const fallback = new URL(settings.after.replace("{event}", sale), location.origin);
  const wanted = new URLSearchParams(location.search).get("return");
  if (!wanted) return fallback.href;
  try {
    const url = new URL(wanted, location.origin);
    // An origin is a scheme and a host: `javascript:` has none that could be equal.
    const known = url.origin === location.origin || settings.origins.includes(url.origin);
    const here = url.origin === location.origin && url.pathname.startsWith("/vwr/");
    return known && !here && !url.username && !url.password ? url.href : fallback.href;
  } catch (_) {
    return fallback.href;
  }
}

/** Seconds a token is good for, as it says itself. */
function lifetime(token) {
  try {
    const claims = JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));
    return Math.max(30, Math.round(claims.exp - serverTime() / 1000));
  } catch (_) {
    return 600;
  }
}
