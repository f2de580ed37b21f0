"use strict";
// Turns the maps from the mean of each cell to its best and back, and sorts the table of sets by the head clicked.
(() => {
  for (const button of document.querySelectorAll(".switch button")) {
    button.addEventListener("click", () => {
      for (const other of button.parentElement.children) {
        other.setAttribute("aria-pressed", String(other === button));
      }
      for (const box of document.querySelectorAll(".maps .chart")) {
        const maps = box.data.flatMap((trace, at) => (trace.type === "heatmap" ? [at] : []));
        Plotly.restyle(box, { visible: maps.map((at) => box.data[at].name === button.dataset.show) }, maps);
      }
    });
  }

  // "−1,234.5" is a number, "12.3 %" too; a dash and a word are none.
  const number = (text) => parseFloat(text.replace("−", "-").replaceAll(",", ""));

  function compare(one, other) {
    const [a, b] = [number(one), number(other)];
    if (Number.isNaN(a) || Number.isNaN(b)) {
      return Number(Number.isNaN(b)) - Number(Number.isNaN(a)) || one.localeCompare(other);
    }
    return a - b;
  }

  for (const button of document.querySelectorAll(".sortable button.sort")) {
    button.addEventListener("click", () => {
      const head = button.closest("th");
      const body = head.closest("table").tBodies[0];
      const place = head.cellIndex;
      const falling = head.getAttribute("aria-sort") !== "descending";
      const way = falling ? -1 : 1;
      const rows = [...body.rows].sort((a, b) => way * compare(a.cells[place].textContent, b.cells[place].textContent));
      for (const other of head.parentElement.cells) {
        other.removeAttribute("aria-sort");
      }
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      body.append(...rows);
    });
  }
})();
