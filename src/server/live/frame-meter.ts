/** The first bytes of a frame until its length is known, and of the extended length (RFC 6455, section 5.2). */
const shortHeader = 2;
const extendedLength: Record<number, number> = { 126: 2, 127: 8 };
const maskBytes = 4;

/**
 * Follows the frames in the bytes that a WebSocket client sends, without keeping any. It knows the length of a message from
 * the headers of its frames, before the bytes of the message arrive.
 */
export class FrameMeter {
  readonly #header = Buffer.alloc(shortHeader + 8);
  #headerSize = 0;
  /** Bytes of the current frame that have not arrived. */
  #left = 0;
  #isLast = true;
  #isControl = false;
  #announced = 0;
  #messages = 0;

  /** Messages that are complete. */
  get messages(): number {
    return this.#messages;
  }

  /** Bytes of the current message, as far as its frames have announced them; 0 between messages. */
  get announced(): number {
    return this.#announced;
  }

  /** Reads the next bytes. `onFrame`: called at the start of each frame of a message. */
  read(bytes: Buffer, onFrame: () => void): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, bytes.length - at);
        this.#left -= taken;
        at += taken;
      } else {
        this.#header[this.#headerSize] = bytes[at] as number;
        this.#headerSize += 1;
        at += 1;
        if (this.#isHeaderComplete()) this.#begin(onFrame);
        else continue;
      }
      if (this.#left === 0) this.#end();
    }
  }

  #isHeaderComplete(): boolean {
    if (this.#headerSize < shortHeader) return false;
    const more = extendedLength[(this.#header[1] as number) & 0x7f] ?? 0;
    return this.#headerSize === shortHeader + more;
  }

  #begin(onFrame: () => void): void {
    const [first = 0, second = 0] = this.#header;
    const code = second & 0x7f;
    let length = code;
    if (code === 126) length = this.#header.readUInt16BE(shortHeader);
    if (code === 127) length = Number(this.#header.readBigUInt64BE(shortHeader));
    this.#headerSize = 0;
    this.#isControl = (first & 0x08) !== 0;
    this.#isLast = (first & 0x80) !== 0;
    this.#left = length + ((second & 0x80) === 0 ? 0 : maskBytes);
    if (this.#isControl) return;
    this.#announced += length;
    onFrame();
  }

  #end(): void {
    if (this.#isControl || !this.#isLast) return;
    this.#announced = 0;
    this.#messages += 1;
  }
}
