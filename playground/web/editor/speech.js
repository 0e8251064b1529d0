// Reads a text aloud with the browser's own voices, and reports the position.

export const canSpeak = () => "speechSynthesis" in window && speechSynthesis.getVoices().length > 0;

// Calls `then` whenever the voices have changed; some browsers load them late.
export function whenVoicesCome(then) {
  if ("speechSynthesis" in window) speechSynthesis.addEventListener?.("voiceschanged", then);
}

// Speaks a text; calls `at(offset)` at every word, and `end()` once at the end.
export function speak(text, language, at, end) {
  speechSynthesis.cancel();
  const utterance = new SpeechSynthesisUtterance(text);
  const voices = speechSynthesis.getVoices();
  utterance.voice = voices.find((voice) => voice.lang.startsWith(language)) ?? voices[0];
  utterance.lang = utterance.voice?.lang ?? language;
  utterance.onboundary = (event) => at(event.charIndex);
  utterance.onend = utterance.onerror = end;
  speechSynthesis.speak(utterance);
}

export const hush = () => speechSynthesis.cancel();
