// Draws every element with data-chart; colours are read from the page's own properties, so that they follow the scheme.
"use strict";

(() => {
  const charts = new Map();
  const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

  function colour(name) {
    const holder = document.createElement("i");
    holder.style.color = `var(--${name})`;
    document.body.append(holder);
    probe.fillStyle = getComputedStyle(holder).color;
    holder.remove();
    return probe.fillStyle;
  }

  const percent = (value) => `${(value * 100).toFixed(1)}%`;

  function option(data) {
    const ink = colour("ink-2");
    const line = colour("line");
    const shown = data.percent ? percent : (value) => Number(value).toLocaleString("en");
    return {
      animation: false,
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
      color: data.series.map((item) => colour(item.tone)),
      grid: { left: 4, right: 12, top: 14, bottom: 4, containLabel: true },
      tooltip: {
        trigger: "axis",
        confine: true,
        renderMode: "richText",
        backgroundColor: colour("card"),
        borderColor: line,
        textStyle: { color: colour("ink"), fontSize: 13 },
        valueFormatter: (value) => (value == null ? "–" : shown(value)),
      },
      xAxis: {
        type: "category",
        data: data.labels,
        boundaryGap: data.kind === "bars",
        axisLine: { lineStyle: { color: line } },
        axisTick: { show: false },
        axisLabel: { color: ink, hideOverlap: true },
      },
      yAxis: {
        type: "value",
        minInterval: data.percent ? 0 : 1,
        max: data.percent ? top(data) : undefined,
        interval: data.percent ? top(data) / 4 : undefined,
        axisLabel: { color: ink, formatter: data.percent ? (value) => `${Math.round(value * 100)}%` : undefined },
        splitLine: { lineStyle: { color: line } },
        splitNumber: 3,
      },
      series: data.series.map((item, index) => ({
        name: item.name,
        type: data.kind === "bars" ? "bar" : "line",
        stack: data.kind === "bars" ? "all" : undefined,
        barMaxWidth: 26,
        data: item.values,
        showSymbol: data.labels.length < 15,
        symbolSize: 5,
        lineStyle: { width: 2, type: item.dashed ? "dashed" : "solid" },
        connectNulls: false,
        markLine: index === 0 && data.marks && data.marks.length ? marks(data.marks, ink) : undefined,
      })),
    };
  }

  // The end of an axis of shares: a round number above the greatest.
  function top(data) {
    const most = Math.max(...data.series.flatMap((item) => item.values.map((value) => value || 0)));
    return [0.04, 0.08, 0.2, 0.4, 0.6, 0.8].find((end) => end >= most) || 1;
  }

  function marks(list, ink) {
    return {
      symbol: "none",
      silent: true,
      lineStyle: { color: ink, type: "dotted" },
      label: { color: ink, fontSize: 11, formatter: (item) => item.name },
      data: list.map((mark) => ({ xAxis: mark.at, name: mark.name })),
    };
  }

  function draw(root) {
    for (const place of root.querySelectorAll("[data-chart]")) {
      const chart = charts.get(place) || echarts.init(place, null, { renderer: "canvas" });
      charts.set(place, chart);
      chart.setOption(option(JSON.parse(place.dataset.chart)), true);
    }
  }

  const drawAll = () => draw(document);
  document.addEventListener("DOMContentLoaded", drawAll);
  document.addEventListener("htmx:after:swap", drawAll);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  addEventListener("resize", () => {
    for (const [place, chart] of charts) {
      if (place.isConnected) chart.resize();
      else charts.delete(place);
    }
  });
})();
