// The hall display's own script: the clock runs by the server's time, numbers disappear when they are old, and with ?chime=1 a new
// call sounds. It sends nothing.
(function () {
  "use strict";
  var OLD_AFTER = 180000, seenNow = "", seenHere = 0, known = null;
  var wantsChime = new URLSearchParams(location.search).get("chime") === "1";

  function tick() {
    var age = document.getElementById("live-age"), clock = document.getElementById("clock");
    if (age.dataset.now !== seenNow) { seenNow = age.dataset.now; seenHere = Date.now(); }
    var now = Number(seenNow) + Date.now() - seenHere;
    var newest = Number(age.dataset.newest || 0);
    document.body.classList.toggle("calls-old", !newest || now - newest > OLD_AFTER);
    clock.textContent = new Date(now + Number(clock.dataset.offset)).toISOString().slice(11, 16);
    ring();
  }

  function ring() {
    var calls = Array.from(document.querySelectorAll(".number.is-new"), function (one) { return one.dataset.call; });
    var isNew = known && calls.some(function (call) { return known.indexOf(call) < 0; });
    known = calls.concat(known || []).slice(0, 50);
    if (isNew && wantsChime) { chime(); }
  }

  function chime() {
    var Sound = window.AudioContext || window.webkitAudioContext;
    if (!Sound) { return; }
    var sound = new Sound(), start = sound.currentTime;
    [660, 523].forEach(function (hertz, place) {
      var tone = sound.createOscillator(), volume = sound.createGain(), at = start + place * 0.35;
      tone.frequency.value = hertz;
      volume.gain.setValueAtTime(0.25, at);
      volume.gain.exponentialRampToValueAtTime(0.001, at + 0.6);
      tone.connect(volume); volume.connect(sound.destination);
      tone.start(at); tone.stop(at + 0.6);
    });
    setTimeout(function () { sound.close(); }, 1500);
  }

  setInterval(tick, 1000);
  tick();
})();
