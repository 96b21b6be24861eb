/** A JSON value. */
export type Json = null | boolean | number | string | Json[] | JsonObject;

/** A JSON object. A missing key is undefined. */
export interface JsonObject {
  [key: string]: Json | undefined;
}

/** Whether the value is an object and not a list. */
export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The object; an empty one for any other value. */
export const objectIn = (value: Json | undefined): JsonObject => (isObject(value) ? value : {});

/** The list; an empty one for any other value. */
export const listIn = (value: Json | undefined): Json[] => (Array.isArray(value) ? value : []);

/** The string; null for any other value. */
export const textIn = (value: Json | undefined): string | null => (typeof value === 'string' ? value : null);
