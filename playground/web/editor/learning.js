// How a model learned to write: the same beginning with the same draws, after more and more reading.

export function showLearning(writer) {
  const { model, language } = writer;
  const stages = model.history ?? [];
  const slider = writer.field("stage");
  const show = () => {
    const [tokens, story] = stages[slider.valueAsNumber];
    writer.part("stage-tokens").textContent = language.say("learning_after", { n: tokens });
    writer.part("stage-story").textContent = story;
  };
  writer.part("learning").hidden = stages.length < 2;
  if (stages.length < 2) return;
  slider.max = stages.length - 1; // the value of another model's is kept within
  slider.oninput = show;
  show();
}
