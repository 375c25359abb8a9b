/** The fields of a message (RFC 5322 §2.2), folded as they are, in the order in which they come. */
export function headerLines(message: Buffer): string[] {
  const end = message.indexOf('\r\n\r\n')
  const header = message.subarray(0, end === -1 ? message.length : end).toString('utf8')
  return header.split(/\r\n(?![ \t])/)
}
