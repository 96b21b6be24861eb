import { ConfigError } from './config-error.ts';
import type { Kind } from './kind.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A default that follows from other settings. `words`: the default in the documentation. */
export interface Computed {
  readonly words: string;
  readonly from: (environment: Environment) => string;
}

/** The value of an unset variable is null. `words`: what the server does then. */
interface Unset {
  readonly words: string;
}

/** Marks a setting of an optional group: the group is null without it. */
export const required = Symbol('required');

type Default = string | number | boolean | Computed | Unset | null | typeof required;

export const computed = (words: string, from: Computed['from']): Computed => ({ words, from });
export const unset = (words: string): Unset => ({ words });

/** An environment variable: its name, its values, its default, and its meaning in one sentence. */
export class Setting<T> {
  readonly variable: string;
  readonly kind: Kind<unknown>;
  readonly default: Default;
  readonly sentence: string;
  /** Carries the type of the value. There is no such property at run time. */
  declare readonly value: T;

  constructor(variable: string, kind: Kind<unknown>, standard: Default, sentence: string) {
    this.variable = variable;
    this.kind = kind;
    this.default = standard;
    this.sentence = sentence;
  }

  /** Whether the variable has a value. The empty string counts as absent. */
  isGiven(environment: Environment): boolean {
    return Boolean(environment[this.variable]);
  }

  /** The value, or the default. Throws ConfigError, which never shows the value. */
  read(environment: Environment): T {
    const text = environment[this.variable] || this.#defaultText(environment);
    if (text === null) return null as T;
    const result = this.kind.schema.safeParse(text);
    if (!result.success) throw new ConfigError(`${this.variable} is not valid: it accepts ${this.kind.accepts}.`);
    return result.data as T;
  }

  /** A default is a text like any value of the variable, and in the same unit. */
  #defaultText(environment: Environment): string | null {
    if (this.default === null || typeof this.default === 'symbol') return null;
    if (typeof this.default !== 'object') return String(this.default);
    return 'from' in this.default ? this.default.from(environment) : null;
  }
}

/** Declares an environment variable. */
export function setting<T>(
  variable: string,
  kind: Kind<T>,
  standard: string | number | boolean | Computed | typeof required,
  sentence: string,
): Setting<T>;
export function setting<T>(
  variable: string,
  kind: Kind<T>,
  standard: Unset | null,
  sentence: string,
): Setting<T | null>;
export function setting(variable: string, kind: Kind<unknown>, standard: Default, sentence: string): Setting<unknown> {
  return new Setting(variable, kind, standard, sentence);
}

type Fields = Readonly<Record<string, Setting<unknown>>>;

/** Settings that have an effect only together. The group is null unless it is enabled. */
export class OptionalGroup<F extends Fields> {
  readonly fields: F;

  constructor(fields: F) {
    this.fields = fields;
  }

  /** The settings that enable the group: all required ones are needed. Where none is required, any setting is enough. */
  get enabling(): Setting<unknown>[] {
    const all = Object.values(this.fields);
    const needed = all.filter((field) => field.default === required);
    return needed.length > 0 ? needed : all;
  }

  /** Throws ConfigError where only some of the required settings are given. */
  isEnabled(environment: Environment): boolean {
    const given = this.enabling.filter((field) => field.isGiven(environment));
    if (given.length === 0) return false;
    if (given.length === this.enabling.length || given.every((field) => field.default !== required)) return true;
    const names = new Intl.ListFormat('en').format(this.enabling.map(({ variable }) => variable));
    throw new ConfigError(`${names} go together: set all of them, or none.`);
  }
}

export const optional = <F extends Fields>(fields: F) => new OptionalGroup(fields);

/** Settings by their name in the configuration; groups nest. */
export interface SettingTree {
  readonly [name: string]: Setting<unknown> | OptionalGroup<Fields> | SettingTree;
}

/** The configuration that a tree of settings describes. */
export type Values<N> =
  N extends Setting<infer T>
    ? T
    : N extends OptionalGroup<infer F>
      ? { readonly [K in keyof F]: Values<F[K]> } | null
      : { readonly [K in keyof N]: Values<N[K]> };

/** Reads all settings of a tree. Throws ConfigError for the first one that is not valid. */
export function readTree<Tree extends SettingTree>(tree: Tree, environment: Environment): Values<Tree> {
  const entries = Object.entries(tree).map(([name, node]) => [name, readNode(node, environment)]);
  return Object.freeze(Object.fromEntries(entries));
}

function readNode(node: SettingTree[string], environment: Environment): unknown {
  if (node instanceof Setting) return node.read(environment);
  if (!(node instanceof OptionalGroup)) return readTree(node, environment);
  // A setting without effect is still checked.
  const values = readTree(node.fields, environment);
  return node.isEnabled(environment) ? values : null;
}

/** All settings of a tree, in the order of their declaration. */
export function settingsOf(tree: SettingTree): Setting<unknown>[] {
  return Object.values(tree).flatMap((node) => {
    if (node instanceof Setting) return [node];
    return settingsOf(node instanceof OptionalGroup ? node.fields : node);
  });
}
