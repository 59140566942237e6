"use strict";

// What is opened, chosen or coloured in one of the two frames follows in the other.

const frames = [...document.querySelectorAll("iframe")];

addEventListener("message", (event) => {
  const from = frames.findIndex((frame) => frame.contentWindow === event.source);
  if (from >= 0 && event.data?.graphacct) frames[1 - from].contentWindow.postMessage(event.data, "*");
});
