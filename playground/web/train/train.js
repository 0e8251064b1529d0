// The page Train: a new run in three steps at /train, and an existing run at /train?run=NAME.

import { openPlace } from "../studio/place.js";
import { NEW_RUN, NewRun } from "./new_run.js";
import { RUN, RunView } from "./run_view.js";

const name = new URLSearchParams(location.search).get("run");
const place = await openPlace("train", name === null ? NEW_RUN : RUN);
if (name === null) await new NewRun(place).start();
else new RunView(place, name);
document.body.setAttribute("ready", "");
