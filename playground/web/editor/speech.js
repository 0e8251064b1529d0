// Reads a story with the browser's own voices and says which letter it is at.

export const canSpeak = () => "speechSynthesis" in window && speechSynthesis.getVoices().length > 0;

// Calls `then` whenever the voices may have changed; some browsers load them late.
export function whenVoicesCome(then) {
  if ("speechSynthesis" in window) speechSynthesis.addEventListener?.("voiceschanged", then);
}

// Speaks a text; `at(offset)` at every word, `end()` once when it is over.
export function speak(text, language, at, end) {
  speechSynthesis.cancel();
  const said = new SpeechSynthesisUtterance(text);
  const voices = speechSynthesis.getVoices();
  said.voice = voices.find((voice) => voice.lang.startsWith(language)) ?? voices[0];
  said.lang = said.voice?.lang ?? language;
  said.onboundary = (event) => at(event.charIndex);
  said.onend = said.onerror = end;
  speechSynthesis.speak(said);
}

export const hush = () => speechSynthesis.cancel();
