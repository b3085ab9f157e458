// What is marked as live is fetched anew every two seconds; where nothing can change any more, nothing is marked.
const EVERY_MS = 2000;
const ANSWER_MS = 4000; // for one answer, to its last byte
const STALE_MS = 7000; // since the last one
const live = () => document.querySelectorAll("[data-live]");
let answered = Date.now();

function show(page) {
  const focused = document.activeElement?.getAttribute("href");
  const pairs = [...live()].map((part) => [part, page.getElementById(part.id)]);
  if (pairs.some(([, fresh]) => !fresh)) throw new Error("this is another page");
  for (const [part, fresh] of pairs) {
    part.toggleAttribute("data-live", fresh.hasAttribute("data-live"));
    part.replaceChildren(...fresh.childNodes);
  }
  if (focused) document.querySelector(`main [href="${focused}"]`)?.focus({ preventScroll: true });
}

function tell() {
  const age = Date.now() - answered;
  document.getElementById("age").textContent = Math.round(age / 1000);
  document.body.classList.toggle("stale", live().length > 0 && age > STALE_MS);
}

async function refresh() {
  if (!document.hidden && getSelection().isCollapsed) {
    try {
      const answer = await fetch(location.href, { signal: AbortSignal.timeout(ANSWER_MS) });
      if (!answer.ok) throw new Error(answer.statusText);
      show(new DOMParser().parseFromString(await answer.text(), "text/html"));
      answered = Date.now();
    } catch (error) {
      console.warn("not refreshed", error); // the banner will say so, and the next try is soon
    }
  }
  tell();
  if (live().length) setTimeout(refresh, EVERY_MS);
}

if (live().length) {
  setTimeout(refresh, EVERY_MS);
  setInterval(tell, 1000);
}
