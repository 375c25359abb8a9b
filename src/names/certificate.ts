/** What Node puts in quotes in a SAN (CVE-2021-44532): it holds a comma or worse, and is no DNS name. */
const QUOTED = /"(?:[^"\\]|\\.)*"/g

/**
 * The DNS names of a certificate, as it spells them: of its SANs, or if it has no SAN, not even an
 * empty one, its CN (RFC 6125 §6.4.4).
 *
 * @param subjectAltName as Node gives it: `DNS:a.example, IP Address:192.0.2.1`
 */
export function dnsNamesOf(
  subjectAltName: string | undefined,
  commonName: string | readonly string[] | undefined,
): string[] {
  if (subjectAltName === undefined) return commonName === undefined ? [] : [commonName].flat()
  return subjectAltName
    .replace(QUOTED, '')
    .split(', ')
    .filter((entry) => entry.startsWith('DNS:') && entry !== 'DNS:')
    .map((entry) => entry.slice('DNS:'.length))
}
