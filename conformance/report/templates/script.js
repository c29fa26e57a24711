"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // What a link leads to may be in a closed part of the page.
  const reveal = () => {
    const goal = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!goal) return;
    for (let part = goal; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
    goal.scrollIntoView();
    const focused = goal.querySelector("summary") || goal;
    if (focused === goal) goal.tabIndex = -1;
    focused.focus({ preventScroll: true });
  };
  addEventListener("hashchange", reveal);
  reveal();

  for (const button of all("[data-copy]")) {
    button.addEventListener("click", async () => {
      const code = button.parentElement.querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
    });
  }

  const filter = document.querySelector(".filter");
  const parts = all(".tests > details");
  filter.addEventListener("change", () => {
    const wanted = new Set(all("input:checked", filter).map((input) => input.value));
    for (const part of parts) {
      const results = all(".result", part);
      for (const result of results) result.hidden = !wanted.has(result.dataset.state);
      part.hidden = results.every((result) => result.hidden);
    }
  });
  for (const button of all("[data-open]")) {
    button.addEventListener("click", () => {
      for (const part of parts) part.open = button.dataset.open === "all";
    });
  }

  // Arrow keys walk the matrix.
  const matrix = document.querySelector(".matrix");
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  matrix.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (!step || !event.target.matches(".cell")) return;
    const rows = all("tbody tr", matrix);
    let y = rows.indexOf(event.target.closest("tr"));
    let x = event.target.closest("td").cellIndex;
    for (;;) {
      [y, x] = [y + step[0], x + step[1]];
      if (!rows[y] || x < 1 || x >= 99) return;
      const cell = rows[y].cells[x];
      if (!cell && step[1]) return;
      const link = cell && cell.querySelector(".cell");
      if (link) {
        event.preventDefault();
        link.focus();
        return;
      }
    }
  });
})();
