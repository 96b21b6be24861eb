/** What JSON can say. */
export type Json = null | boolean | number | string | Json[] | JsonObject;

/** An object of JSON; what it does not have is undefined. */
export interface JsonObject {
  [key: string]: Json | undefined;
}

/** Whether it is an object, and no list. */
export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** An object; an empty one for anything else. */
export const objectIn = (value: Json | undefined): JsonObject => (isObject(value) ? value : {});

/** A list; an empty one for anything else. */
export const listIn = (value: Json | undefined): Json[] => (Array.isArray(value) ? value : []);

/** A text; null for anything else. */
export const textIn = (value: Json | undefined): string | null => (typeof value === 'string' ? value : null);
