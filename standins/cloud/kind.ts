import type { Core } from "./core";
import type { Body } from "./input";
import type { Action, Kind, Kinds } from "./model";

/** What a request that makes or changes something answers. */
export interface Answer {
  status?: number;
  /** Shown as the kind's own key, in the form of `view`. */
  object?: number;
  action?: Action;
  actions?: Action[];
  nextActions?: Action[];
  /** Anything else, as it is. */
  more?: Record<string, unknown>;
}

/** How the API treats one kind of object. Validation is in the functions, the rest (lists, pages, labels, names) is the same for all. */
export interface KindApi<K extends Kind> {
  kind: K;
  view(core: Core, object: Kinds[K]): object | Promise<object>;
  /** Absent where nothing is made by a POST. */
  create?(core: Core, body: Body): Answer | Promise<Answer>;
  /** Changes beyond name and labels. */
  update?(core: Core, object: Kinds[K], body: Body): void;
  /** Follows a change of labels. */
  relabelled?(core: Core): Promise<void>;
  /** Deletes, after protection was checked; the answer is 204 unless there is an action. */
  remove(core: Core, object: Kinds[K]): Promise<Answer | void> | Answer;
  actions: Record<string, (core: Core, object: Kinds[K], body: Body) => Answer | Promise<Answer>>;
  /** Filters of the list besides name and label_selector, by query parameter. */
  filters?: Record<string, (object: Kinds[K], values: string[]) => boolean>;
}
