import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLSchema,
  getNamedType,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql';

const texts = ['', 'x', '文🙂', '\ud800', '\u0000', 'thread_01', 'null', '-1', '__proto__', 'a'.repeat(5000), '"\\\n'];
const numbers = [0, 1, -1, 5, 101, 2_147_483_647, -2_147_483_648, 4_294_967_296, 1.5, 1e300];
const odd: unknown[] = [null, true, [], {}, [[]], [null], { a: { b: [] } }, { __proto__: 1 }, ...texts, ...numbers];
/** Directives with the variables that they use. `$count` is a number, `$flag` a truth value. */
const anywhere = ['@include(if: true)', '@skip(if: false)', '@skip(if: $flag)'];
const onFragments = [...anywhere, '@defer', '@defer(label: null)', '@defer(if: $flag)'];
const onLists = [
  ...anywhere,
  '@stream',
  '@stream(initialCount: 0)',
  '@stream(initialCount: -1)',
  '@stream(initialCount: $count)',
];

/** Documents with variables that mostly fit a schema, with values and directives that mostly do not. */
export class RandomDocuments {
  readonly #schema: GraphQLSchema;
  readonly #random: () => number;
  readonly #ids: string[];
  #variables: Record<string, unknown> = {};
  #definitions: string[] = [];
  #aliases = 0;

  /** `ids`: of existing nodes. */
  constructor(schema: GraphQLSchema, random: () => number, ids: string[]) {
    this.#schema = schema;
    this.#random = random;
    this.#ids = ids;
  }

  /** An operation, in one of four cases with a fault in its text. */
  next(): { query: string; variables: Record<string, unknown> } {
    this.#variables = {};
    this.#definitions = [];
    const isMutation = this.#chance(0.3);
    const root = isMutation ? this.#schema.getMutationType() : this.#schema.getQueryType();
    const selection = this.#selection(root as object as { name: string }, 0);
    const definitions = this.#definitions.length > 0 ? `(${this.#definitions.join(', ')})` : '';
    const query = `${isMutation ? 'mutation' : 'query'}${definitions} ${selection}`;
    return { query: this.#chance(0.25) ? this.#damaged(query) : query, variables: this.#variables };
  }

  #pick<T>(values: readonly T[]): T {
    return values[Math.floor(this.#random() * values.length)] as T;
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  /** A selection of some fields of a type. */
  #selection({ name }: { name: string }, depth: number): string {
    const type = this.#schema.getType(name);
    if (!isCompositeType(type)) return '';
    if (!isObjectType(type)) {
      const one = this.#pick(this.#schema.getPossibleTypes(type));
      return `{ __typename ... on ${one.name} ${this.#directive(onFragments)} ${this.#selection(one, depth + 1)} }`;
    }
    const fields = Object.values(type.getFields());
    const chosen = Array.from({ length: depth === 0 ? 1 : 3 }, () => this.#field(this.#pick(fields), depth));
    return `{ __typename ${chosen.join(' ')} }`;
  }

  #field(field: GraphQLField<unknown, unknown>, depth: number): string {
    const type = getNamedType(field.type);
    if (isCompositeType(type) && depth > 4) return '__typename';
    const args = field.args
      .filter((arg) => isNonNullType(arg.type) || this.#chance(0.4))
      .map((arg) => this.#argument(arg));
    const list = args.length > 0 ? `(${args.join(', ')})` : '';
    // Fields of the same name and other arguments would not be valid.
    this.#aliases += 1;
    const alias = list || this.#chance(0.1) ? `${this.#pick(['a', '__proto__', 'constructor'])}${this.#aliases}: ` : '';
    const isList = isListType(isNonNullType(field.type) ? field.type.ofType : field.type);
    const directive = this.#directive(isList && depth > 0 ? onLists : anywhere);
    return `${alias}${field.name}${list} ${directive} ${this.#selection(type, depth + 1)}`;
  }

  #directive(known: readonly string[]): string {
    if (!this.#chance(0.2)) return '';
    const directive = this.#pick(known);
    if (directive.includes('$flag')) this.#define('flag', 'Boolean = true', this.#pick([true, false]));
    if (directive.includes('$count')) this.#define('count', 'Int', this.#pick([...numbers, null]));
    return directive;
  }

  #define(name: string, type: string, value: unknown): void {
    if (!(name in this.#variables)) this.#definitions.push(`$${name}: ${type}`);
    this.#variables[name] = value;
  }

  #argument({ name, type }: GraphQLArgument): string {
    const variable = `v${this.#definitions.length}`;
    this.#define(variable, String(type), this.#value(type, 0));
    return `${name}: $${variable}`;
  }

  #value(type: GraphQLInputType, depth: number): unknown {
    if (this.#chance(0.08)) return this.#pick(odd);
    if (isNonNullType(type)) return this.#value(type.ofType, depth);
    if (isListType(type))
      return Array.from({ length: Math.floor(this.#random() * 3) }, () => this.#value(type.ofType, depth + 1));
    if (isEnumType(type)) return this.#pick(type.getValues()).name;
    if (isInputObjectType(type)) {
      const fields = Object.values(type.getFields()).filter(
        (field) => isNonNullType(field.type) || this.#chance(depth > 2 ? 0.1 : 0.4),
      );
      return Object.fromEntries(fields.map((field) => [field.name, this.#value(field.type, depth + 1)]));
    }
    if (type.name === 'ID') return this.#pick([...this.#ids, ...texts]);
    if (type.name === 'Int' || type.name === 'Float') return this.#pick(numbers);
    if (type.name === 'Boolean') return this.#chance(0.5);
    if (type.name === 'DateTime') return this.#pick(['2026-11-21T08:30:00.000Z', 'yesterday', '9999-12-31T23:59:59Z']);
    return type.name === 'String' || type.name === 'Decimal' ? this.#pick(texts) : this.#pick(odd);
  }

  /** A document with characters that are removed, repeated or added. */
  #damaged(query: string): string {
    const at = Math.floor(this.#random() * query.length);
    const more = this.#pick(['', '{', '}', '"', '"""', '$', '@', '#', '...', '[[[[', '\u0000', '🙂', '\ud800']);
    return query.slice(0, at) + more + query.slice(at + Math.floor(this.#random() * 5));
  }
}
