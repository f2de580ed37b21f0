"use strict";
// Lays the page's own paper under the charts, and lays it again when the reader turns the light on or off.
(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const asked = new URLSearchParams(location.search).get("theme");
  let chosen = asked === "dark" || asked === "light" ? asked : null;

  const theme = () => chosen ?? (system.matches ? "dark" : "light");

  function paper(layout) {
    const css = getComputedStyle(root);
    const colour = (name) => css.getPropertyValue(name).trim();
    const paint = {
      "paper_bgcolor": "rgba(0,0,0,0)",
      "plot_bgcolor": "rgba(0,0,0,0)",
      "font.color": colour("--soft"),
      "font.family": getComputedStyle(document.body).fontFamily,
      "font.size": 12,
      "hoverlabel.bgcolor": colour("--card"),
      "hoverlabel.bordercolor": colour("--line"),
      "hoverlabel.font.color": colour("--ink"),
      "modebar.color": colour("--line"),
      "modebar.activecolor": colour("--accent"),
      "modebar.bgcolor": "rgba(0,0,0,0)",
    };
    for (const axis of Object.keys(layout).filter((name) => /^[xy]axis\d*$/.test(name))) {
      Object.assign(paint, {
        [`${axis}.gridcolor`]: colour("--hair"),
        [`${axis}.linecolor`]: colour("--line"),
        [`${axis}.zerolinecolor`]: colour("--line"),
        [`${axis}.spikecolor`]: colour("--soft"),
      });
    }
    return paint;
  }

  function apply() {
    root.dataset.theme = theme();
    button.textContent = theme() === "dark" ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to ${theme() === "dark" ? "light" : "dark"} colours`);
  }

  function draw() {
    for (const [name, figure] of Object.entries(figures)) {
      const box = document.getElementById(`chart-${name}`);
      const narrow = box.clientWidth < 560;
      const layout = figure.layout;
      // The toolbar stands beside the picture, not on its legend; where a scale stands there, there is none.
      const scaled = figure.data.some((trace) => trace.colorbar && trace.colorbar.orientation !== "h");
      layout.modebar = { orientation: "v", ...layout.modebar };
      layout.margin = { l: narrow ? 52 : 64, r: scaled ? 14 : 38, t: layout.showlegend === false ? 18 : 40, b: 42 };
      layout.autosize = true;
      Plotly.newPlot(box, figure.data, layout, {
        responsive: true, displaylogo: false, showSendToCloud: false, displayModeBar: !scaled,
        modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
      });
      Plotly.relayout(box, paper(layout));
    }
  }

  function repaint() {
    apply();
    for (const name of Object.keys(figures)) {
      Plotly.relayout(`chart-${name}`, paper(figures[name].layout));
    }
  }

  button.addEventListener("click", () => { chosen = theme() === "dark" ? "light" : "dark"; repaint(); });
  system.addEventListener("change", repaint);
  apply();
  draw();
})();
