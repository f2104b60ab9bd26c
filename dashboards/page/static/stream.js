// A shared worker: one event stream for all pages of this browser. It tells every page that listens which centre or
// system has changed, and whether the stream is connected; without listeners it has no stream.
"use strict";
const AGAIN_AFTER = 15000;
const ports = new Set();
let source = null, state = "on";

function tell(message) { ports.forEach((port) => port.postMessage(message)); }

function showState(now) { state = now; tell({ state }); }

function open() {
  if (source || !ports.size) { return; }
  source = new EventSource("/api/v1/events");
  source.onopen = () => showState("on");
  source.onerror = () => {
    showState("lost");
    if (source.readyState === EventSource.CLOSED) { source = null; setTimeout(open, AGAIN_AFTER); }
  };
  ["centre.state", "queue", "system.state"].forEach((name) => source.addEventListener(name, (event) => {
    const about = JSON.parse(event.data);
    tell({ changed: about.centre || about.system });
  }));
}

function close() {
  if (source) { source.close(); source = null; }
}

onconnect = (event) => {
  const port = event.ports[0];
  port.onmessage = ({ data }) => {
    if (data === "leave") { ports.delete(port); port.close(); if (!ports.size) { close(); } return; }
    ports.add(port);
    if (source) { port.postMessage({ state: source.readyState === EventSource.OPEN ? state : "lost" }); }
    open();
  };
};
