import type { Result } from 'sklens';
import { frozenZooms, NOTHING, overridesOf, touched, type Setting, type Settings, withOff, withSetting } from '../lib/whatif';
import { Undo } from '../lib/undo';
import type { Explorer } from '../state.svelte';
import { Question } from './question.svelte';

/** Attention as the visitor wants it, and what the network makes of it. */
export class WhatIf {
  settings: Settings = $state.raw(NOTHING);
  /** Whether settings are for every unit or the chosen one. */
  everywhere = $state(true);
  readonly question = new Question<{ before: Result; after: Result }>();
  undoable = $state(0);
  readonly #undo = new Undo<Settings>();

  constructor(private readonly explorer: Explorer) {}

  readonly touched: string[] = $derived.by(() => touched(this.settings, this.explorer.units));
  /** The units that the next setting is for. */
  readonly scope: string[] = $derived.by(() => {
    const { units, unit } = this.explorer;
    return this.everywhere ? units.map(({ name }) => name) : unit ? [unit.name] : [];
  });
  /** The setting that all units in scope share; undefined where they differ, null where they have none. */
  readonly setting: Setting | null | undefined = $derived.by(() => {
    const all = this.scope.map((name) => this.settings.units[name] ?? null);
    const [first = null] = all;
    return all.every((setting) => JSON.stringify(setting) === JSON.stringify(first)) ? first : undefined;
  });

  put(setting: Setting | null): void {
    this.#change(withSetting(this.settings, this.scope, setting));
  }

  turnOff(channels: readonly number[]): void {
    const name = this.explorer.unit?.name;
    if (name) this.#change(withOff(this.settings, name, channels));
  }

  reset(): void {
    this.#change(NOTHING);
  }

  undo(): void {
    this.settings = this.#undo.back() ?? this.settings;
    this.undoable = this.#undo.size;
  }

  #change(settings: Settings): void {
    this.#undo.remember(this.settings);
    this.undoable = this.#undo.size;
    this.settings = settings;
  }

  /** Analyses what is on show without and with the settings. */
  answer(before: Result): void {
    const { settings, explorer } = this;
    const { units } = explorer;
    this.question.ask(async (signal) => {
      const zooms = frozenZooms(settings);
      const frozen = zooms.length > 0 ? await explorer.ask({ scales: zooms, signal }) : [];
      const override = overridesOf(settings, units, frozen);
      const [after = before] = await explorer.ask({ scales: [before.scale], override, signal });
      return { before, after };
    });
  }
}
