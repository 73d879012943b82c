"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const printing = window.matchMedia("print");
  const PALETTE = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#999999"]; // Paul Tol's bright scheme
  const STATES = { completed: "#228833", failed: "#ee6677", dead: "#aa3377", waiting_gate: "#ccbb44", running: "#66ccee", queued: "#4477aa", cancelled: "#999999" };
  let drawn = [];

  const words = (text) => text.replaceAll("_", " ");
  const ms = (value) => (value >= 1000 ? `${(value / 1000).toFixed(1)} s` : `${value.toFixed(1)} ms`);

  // Only text is ever put into the page: names come from documents.
  function element(name, text) {
    const made = document.createElement(name);
    made.textContent = text;
    return made;
  }

  function colours() {
    const isDark = dark.matches && !printing.matches;
    return { fg: isDark ? "#e6edf3" : "#1b1f24", line: isDark ? "#30363d" : "#d8dee4" };
  }

  function draw(id, option) {
    const chart = echarts.init(document.getElementById(id), null, { renderer: "svg" });
    const { fg } = colours();
    chart.setOption({ animation: false, color: PALETTE, textStyle: { color: fg, fontFamily: "system-ui, sans-serif" }, ...option });
    drawn.push(chart);
    return chart;
  }

  function axis(extra) {
    const { fg, line } = colours();
    return { axisLabel: { color: fg }, axisLine: { lineStyle: { color: line } }, splitLine: { lineStyle: { color: line } }, nameTextStyle: { color: fg }, ...extra };
  }

  function states() {
    const { fg } = colours();
    const parts = Object.entries(data.states).map(([name, value]) => ({ name: words(name), value, itemStyle: { color: STATES[name] } }));
    draw("states", { series: [{ type: "pie", radius: ["45%", "70%"], data: parts, label: { color: fg, formatter: "{b}: {c}" } }] });
  }

  function throughput() {
    const { start, width_s: width, counts } = data.throughput;
    const times = counts.map((_, place) => new Date((start + place * width) * 1000).toLocaleTimeString());
    draw("throughput", {
      grid: { left: 45, right: 15, top: 30, bottom: 45 },
      xAxis: axis({ type: "category", data: times }),
      yAxis: axis({ type: "value", minInterval: 1, nameTextStyle: { color: colours().fg, align: "left" }, name: width === 1 ? "documents a second" : `documents in ${width} s` }),
      series: [{ type: "bar", data: counts, barCategoryGap: "10%" }],
    });
  }

  function stages() {
    const { fg } = colours();
    draw("stages", {
      grid: { left: 60, right: 15, top: 40, bottom: 30 },
      legend: { textStyle: { color: fg }, top: 0 },
      tooltip: { trigger: "axis", valueFormatter: ms },
      xAxis: axis({ type: "category", data: data.stages.map((one) => one.name) }),
      yAxis: axis({ type: "log", name: "ms a document", min: 0.01, startValue: 0.01, axisLabel: { color: fg, formatter: (value) => String(value) } }),
      series: [
        { name: "median", type: "bar", data: data.stages.map((one) => Math.max(one.p50_ms, 0.01)) },
        { name: "95 % below", type: "bar", data: data.stages.map((one) => Math.max(one.p95_ms, 0.01)) },
      ],
    });
  }

  function graph() {
    const { fg, line } = colours();
    const kinds = [...new Set(data.nodes.map((one) => one.kind || "other"))];
    const links = new Map();
    for (const { source, target } of data.edges) for (const end of [source, target]) links.set(end, (links.get(end) || 0) + 1);
    const nodes = data.nodes.map((one) => ({
      id: one.node_id, name: one.name, category: kinds.indexOf(one.kind || "other"), symbolSize: 6 + 4 * Math.sqrt(links.get(one.node_id) || 0),
      label: { show: (links.get(one.node_id) || 0) > 5 },
    }));
    const chart = draw("graph", {
      legend: { data: kinds.map((name) => ({ name })), textStyle: { color: fg }, top: 5, type: "scroll" },
      series: [{
        type: "graph", layout: "force", roam: true, draggable: true, data: nodes, categories: kinds.map((name) => ({ name })),
        links: data.edges.map(({ source, target }) => ({ source, target })), force: { repulsion: 90, edgeLength: 55, layoutAnimation: false },
        lineStyle: { color: line, width: 1 }, emphasis: { focus: "adjacency" }, label: { position: "right", color: fg, fontSize: 10, width: 140, overflow: "truncate" },
      }],
    });
    chart.on("click", (event) => event.dataType === "node" && show(event.data.id));
    const first = data.nodes[0];
    if (first) show(first.node_id);
  }

  function show(id) {
    const names = new Map(data.nodes.map((one) => [one.node_id, one.name]));
    const place = document.getElementById("chosen");
    const list = document.createElement("ul");
    for (const one of data.edges.filter(({ source, target }) => source === id || target === id).slice(0, 40)) {
      const item = element("li", `${names.get(one.source)} ${words(one.relation).toLowerCase()} ${names.get(one.target)}`);
      item.append(element("span", one.documents.length ? ` (${one.documents.join(", ")})` : ""));
      item.lastChild.className = "dim";
      list.append(item);
    }
    place.replaceChildren(element("strong", names.get(id)), list);
  }

  function drawAll() {
    for (const chart of drawn) chart.dispose();
    drawn = [];
    for (const one of [states, throughput, stages, graph]) one();
  }

  drawAll();
  dark.addEventListener("change", drawAll);
  printing.addEventListener("change", drawAll);
  window.addEventListener("resize", () => drawn.forEach((chart) => chart.resize()));
})();
