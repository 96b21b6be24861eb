import { basename } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The files that take longest, the longest first: started last, one of them would run alone at the end. */
const longest = [
  'sandbox.test.ts',
  'file-search-meaning.test.ts',
  'socket-bounds.test.ts',
  'python-packages.test.ts',
  'lossy-bus.test.ts',
  'plugin-openapi.test.ts',
  'file-search.test.ts',
  'isolation.test.ts',
  'recovery.test.ts',
  'secret-key.test.ts',
  'code-interpreter.test.ts',
  'follow.test.ts',
  'chaos.test.ts',
  'follow-elsewhere.test.ts',
  'bus.test.ts',
  'credential-end.test.ts',
];

/** Runs long files first. A fresh clone has no record of how long files took. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const index = longest.indexOf(basename(moduleId));
      return index < 0 ? longest.length : index;
    };
    return [...files].sort((one, other) => place(one) - place(other) || one.moduleId.localeCompare(other.moduleId));
  }
}
