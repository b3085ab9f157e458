// What is marked as live is fetched anew every two seconds; where nothing can change any more, nothing is marked.
const live = () => document.querySelectorAll("[data-live]");

function show(page) {
  const focused = document.activeElement.getAttribute("href");
  for (const part of live()) {
    const fresh = page.getElementById(part.id);
    part.toggleAttribute("data-live", fresh.hasAttribute("data-live"));
    part.replaceChildren(...fresh.childNodes);
  }
  if (focused) document.querySelector(`main [href="${focused}"]`)?.focus({ preventScroll: true });
}

async function refresh() {
  if (!document.hidden && getSelection().isCollapsed) {
    const answer = await fetch(location.href).catch(() => null);
    document.body.classList.toggle("stale", !answer?.ok);
    if (answer?.ok) show(new DOMParser().parseFromString(await answer.text(), "text/html"));
  }
  if (live().length) setTimeout(refresh, 2000);
}

if (live().length) setTimeout(refresh, 2000);
