import PostalMime from 'postal-mime'

/** Fields of a delivery report, by lower-case name. */
export type ReportFields = ReadonlyMap<string, string>

/** A non-delivery report (RFC 3464). */
export interface DeliveryReport {
  /** The recipient of the report itself. */
  readonly to: string
  /** The part for people. */
  readonly text: string
  /** One group for each recipient that did not get the message. */
  readonly recipients: readonly ReportFields[]
}

/**
 * Takes a delivery report apart.
 *
 * @throws Error when the message has no machine readable part
 */
export async function readReport(raw: string): Promise<DeliveryReport> {
  const mail = await PostalMime.parse(raw, { attachmentEncoding: 'utf8' })
  const part = mail.attachments.find(({ mimeType }) => mimeType === 'message/delivery-status')
  if (typeof part?.content !== 'string') throw new Error(`no delivery report:\n${raw}`)
  // Groups of fields with empty lines between; the first is about the message (RFC 3464 section 2.1).
  const [, ...groups] = part.content.trim().split(/\r?\n\r?\n/)
  return {
    to: mail.to?.[0]?.address ?? '',
    text: mail.text ?? '',
    recipients: await Promise.all(groups.map(readFields)),
  }
}

async function readFields(group: string): Promise<ReportFields> {
  const { headers } = await PostalMime.parse(`${group}\r\n\r\n`)
  // Postfix adds white space where it folds a long one.
  return new Map(headers.map(({ key, value }) => [key, value.replace(/\s+/g, ' ')]))
}
