// What this server answers to programs, as it says itself, with examples for its own address.

import { make } from "./make.js";

const root = new URL("../", location.href).href;
document.querySelector("#python").textContent = `from gradio_client import Client

client = Client("${root}")
print(client.predict("Once upon a time", seed=7, api_name="/generate"))`;
document.querySelector("#curl").textContent =
  `event=$(curl -s ${root}gradio_api/call/v2/generate -H 'Content-Type: application/json' \\
  -d '{"prompt": "Once upon a time", "seed": 7}' | cut -d'"' -f4)
curl -sN ${root}gradio_api/call/v2/generate/$event`;

const { named_endpoints: endpoints } = await (await fetch(`${root}gradio_api/info`)).json();
for (const [name, { description, parameters }] of Object.entries(endpoints)) {
  const items = parameters.map(({ parameter_name, python_type, parameter_has_default, parameter_default }) => {
    const value = parameter_has_default ? `, ${JSON.stringify(parameter_default)} if not given` : "";
    return make("li", {}, `${parameter_name}: ${python_type.type}${value}`);
  });
  const about = make("pre", {}, description.trim());
  document
    .querySelector("#endpoints")
    .append(make("section", {}, make("h2", {}, name), about, make("ul", {}, ...items)));
}
