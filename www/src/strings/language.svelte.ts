/** The language of the page: which there are, which is spoken, and who remembers it. */
import { recall, remember } from '../lib/remembered';
import { en, type Strings } from './en';

/** Every language under the name that its speakers give it. */
export const LANGUAGES = { en: 'English', ja: '日本語' } as const;
export type Language = keyof typeof LANGUAGES;

/** English comes with the page; others are fetched when they are asked for. */
const others: Record<Exclude<Language, 'en'>, () => Promise<Strings>> = {
  ja: async () => (await import('./ja')).ja,
};
const KEY = 'sklens-language';

class Spoken {
  language: Language = $state('en');
  strings: Strings = $state.raw(en);
}
const spoken = new Spoken();
let asked: Language = 'en';

const isLanguage = (name: string | null | undefined): name is Language => Object.keys(LANGUAGES).includes(name ?? '');

/** The language that is spoken. */
export const language = (): Language => spoken.language;

/** The language chosen before, else the first of `wanted`, as browsers list them, that the page speaks. */
export function preferred(chosen: string | null, wanted: readonly string[]): Language {
  if (isLanguage(chosen)) return chosen;
  return wanted.map((tag) => tag.split('-')[0]?.toLowerCase()).find(isLanguage) ?? 'en';
}

/** Speaks `next` from here on; rejects where its strings cannot be had. Of several calls the last counts. */
export async function speak(next: Language): Promise<void> {
  asked = next;
  const strings = next === 'en' ? en : await others[next]();
  if (asked !== next) return;
  spoken.strings = strings;
  spoken.language = next;
}

/** Speaks `next` and remembers the choice. */
export async function choose(next: Language): Promise<void> {
  await speak(next);
  remember(KEY, next);
}

/** Speaks what the visitor prefers, or English where that cannot be had. */
export async function begin(): Promise<void> {
  await speak(preferred(recall(KEY), navigator.languages)).catch(() => speak('en'));
}

/** A view of the strings that `of` gives, read anew at every access: parts of it may be kept and still follow the language. */
function following<T extends object>(of: () => T): T {
  return new Proxy(of(), {
    get: (_, key) => {
      const value: unknown = Reflect.get(of(), key);
      const nested = typeof value === 'object' && value !== null && !Array.isArray(value);
      return nested ? following(() => Reflect.get(of(), key) as object) : value;
    },
  });
}

/** Every sentence of the page, in the language that is spoken. */
export const t: Strings = following(() => spoken.strings);
