"use strict";
/* What the theme lacks: an end of the session that is seen, errors that are said, ids to copy, roles for a screen reader. */

const FOCUSABLE = "a[href], button:not([disabled]), input:not([type=hidden]):not([disabled]), select, textarea";

function leaveTo(address) {
  if (address) window.location.assign(address);
}

/* A part of a page is never the login page: the server answers 401 and names the login. */
document.addEventListener("htmx:beforeSwap", (event) => {
  const request = event.detail.xhr;
  if (request.status === 401) {
    event.detail.shouldSwap = false;
    leaveTo(request.getResponseHeader("HX-Redirect"));
  }
});
const plainFetch = window.fetch;
window.fetch = async (...given) => {
  const answer = await plainFetch(...given);
  if (answer.status === 401) leaveTo(answer.headers.get("HX-Redirect"));
  return answer;
};

function say(text) {
  let place = document.getElementById("ops-said");
  if (!place) {
    place = document.createElement("div");
    place.id = "ops-said";
    place.setAttribute("role", "alert");
    document.body.append(place);
  }
  place.textContent = text;
  window.clearTimeout(say.timer);
  say.timer = window.setTimeout(() => { place.textContent = ""; }, 10000);
}

document.addEventListener("htmx:responseError", (event) => {
  const request = event.detail.xhr;
  if (request.status !== 401) {
    say(`Not done (${request.status}). Request ${request.getResponseHeader("X-Request-ID") || "unknown"}`);
  }
});
document.addEventListener("htmx:sendError", () => {
  say("The server was not reached. Whether something was done is not known: look before you try again.");
});

/* A double click does a thing once, and its answer is the page that is shown. */
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || !form.matches(".ops-act")) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  window.setTimeout(() => { delete form.dataset.sent; }, 5000);
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) window.print();
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  event.preventDefault();
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.classList.add("copied");
    window.setTimeout(() => button.classList.remove("copied"), 1500);
  } catch {
    window.prompt("Copy:", button.dataset.copy);
  }
});

/* Roles and names. */
function describe() {
  document.getElementById("main")?.setAttribute("role", "main");
  const palette = document.getElementById("search-input-command");
  if (palette) {
    palette.placeholder = "An id, key, name or page. p: payment, w: wallet, tx:, e:, u: user, c: client, r: request";
    palette.setAttribute("aria-label", "Search the console");
    asDialog(palette.closest("[x-data]"), "Search the console", palette);
  }
  const opener = document.querySelector("#nav-sidebar [x-on\\:click*=opencommand]");
  if (opener) asButton(opener, "Search the console (Ctrl-K)");
  document.getElementById("searchbar")?.setAttribute("aria-label", "Search this list");
  document.getElementById("searchbar-submit")?.setAttribute("aria-label", "Search");
  document.getElementById("command-submit")?.setAttribute("aria-label", "Search");
  asDialog(document.getElementById("changelist-filter"), "Filters");
  asDialog(document.getElementById("modal-content")?.parentElement, "Dialog");
  asTabs(document.getElementById("tabs-items"));
  document.querySelectorAll("a:not([href])[x-on\\:click], span[x-on\\:click], div.cursor-pointer[x-on\\:click]").forEach((one) => asButton(one));
  document.querySelectorAll("[data-simplebar] .simplebar-content-wrapper").forEach((one) => {
    if (!one.getAttribute("aria-label")) one.setAttribute("aria-label", "Scrollable");
  });
}

function asButton(element, name) {
  if (element.getAttribute("role") === "button") return;
  element.setAttribute("role", "button");
  element.tabIndex = 0;
  const label = name || ICONS[element.textContent.trim()];
  if (label) element.setAttribute("aria-label", label);
  element.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      element.click();
    }
  });
}
/* The theme's icons are words of a font. */
const ICONS = { dock_to_right: "Sidebar", filter_list: "Filters", close: "Close", more_horiz: "More", unfold_more: "Account menu" };

/* Focus goes into a dialog when it is shown, stays in it, and back to where it came from. */
function asDialog(element, name, first) {
  if (!element) return;
  element.setAttribute("role", "dialog");
  element.setAttribute("aria-modal", "true");
  element.setAttribute("aria-label", name);
  let before = null;
  const shown = () => element.offsetParent !== null || getComputedStyle(element).display !== "none";
  let was = shown();
  new MutationObserver(() => {
    const is = shown();
    if (is && !was) {
      before = document.activeElement;
      (first || element.querySelector(FOCUSABLE))?.focus();
    } else if (!is && was) {
      before?.focus?.();
    }
    was = is;
  }).observe(element, { attributes: true, attributeFilter: ["style", "class"] });
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Tab") return;
    const stops = [...element.querySelectorAll(FOCUSABLE)].filter((one) => one.offsetParent !== null);
    const [head, tail] = [stops[0], stops[stops.length - 1]];
    if (event.shiftKey && document.activeElement === head) { event.preventDefault(); tail?.focus(); }
    if (!event.shiftKey && document.activeElement === tail) { event.preventDefault(); head?.focus(); }
  });
}

/* Tabs of one page (links to another are links). */
function asTabs(list) {
  const tabs = list ? [...list.querySelectorAll("a[href^='#']")] : [];
  if (!tabs.length) return;
  list.setAttribute("role", "tablist");
  const tell = () => tabs.forEach((tab) => tab.setAttribute("aria-selected", String(tab.classList.contains("active"))));
  tabs.forEach((tab, place) => {
    tab.setAttribute("role", "tab");
    new MutationObserver(tell).observe(tab, { attributes: true, attributeFilter: ["class"] });
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) tabs[(place + step + tabs.length) % tabs.length].focus();
    });
  });
  tell();
}

/* Times say what they are here, too. */
function localTimes() {
  document.querySelectorAll("time[datetime]:not([title])").forEach((one) => {
    one.title = new Date(one.dateTime).toLocaleString();
  });
}

window.addEventListener("load", () => { describe(); localTimes(); });
document.addEventListener("htmx:afterSwap", localTimes);
