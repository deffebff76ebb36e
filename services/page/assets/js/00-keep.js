// Small strings that survive a reload: localStorage, else a cookie, else as long as this page.
// What cannot be stored is still in memory, so failures of the store are nobody's news.
const keep = (() => {
  const memory = new Map();
  let local = null;
  try {
    local = window.localStorage;
    local.setItem("urr-probe", "1");
    local.removeItem("urr-probe");
  } catch (_) {
    // Blocked or full: private windows of some browsers.
    local = null;
  }
  const cookie = (name) => {
    const found = document.cookie.split("; ").find((pair) => pair.startsWith(`${name}=`));
    return found ? decodeURIComponent(found.slice(name.length + 1)) : null;
  };
  return {
    get(name) {
      try {
        const value = local ? local.getItem(name) : cookie(name);
        if (value !== null) return value;
      } catch (_) {}
      return memory.get(name) || null;
    },
    set(name, value) {
      memory.set(name, value);
      try {
        if (local) local.setItem(name, value);
        else setCookie(name, value, 86400, "Lax");
      } catch (_) {}
    },
  };
})();

function setCookie(name, value, maxAgeS, sameSite, domain) {
  const parts = [`${name}=${encodeURIComponent(value)}`, "path=/", `max-age=${maxAgeS}`, `samesite=${sameSite}`];
  if (domain) parts.push(`domain=${domain}`);
  if (location.protocol === "https:") parts.push("secure");
  document.cookie = parts.join("; ");
}

/** The name this browser waits under. Whoever knows it gets the same place, so it is drawn at random. */
function visitor() {
  const known = keep.get("urr-anon-id");
  if (known && /^[\w.:@+-]{1,128}$/.test(known)) return known;
  const hex = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const fresh = `anon-${Date.now().toString(36)}-${hex}`;
  keep.set("urr-anon-id", fresh);
  return fresh;
}

const placeOf = (sale) => `urr-vwr-${sale}`;

/** The place in the line of `sale`, if this browser has one. */
function readPlace(sale) {
  try {
    const place = JSON.parse(keep.get(placeOf(sale)));
    return /^[0-9a-f-]{36}$/i.test(place.requestId) ? place : null;
  } catch (_) {
    return null;
  }
}
const writePlace = (sale, place) => keep.set(placeOf(sale), JSON.stringify(place));
