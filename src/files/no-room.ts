const codes = ['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'EIO', 'EROFS'];

/** Whether an error means that files cannot be written now: the disk is full or faulty, or too many files are open. */
export const isNoRoom = (error: unknown): boolean =>
  codes.includes((error as NodeJS.ErrnoException | null)?.code ?? '');
