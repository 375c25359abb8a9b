import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { scratchDir } from '../../scripts/services/scratch'
import { findTool } from '../../scripts/services/tools'

/** The subject of a certificate. */
export interface Holder {
  /** Common name of the subject; none without it. */
  commonName?: string
  /** DNS names (SAN); no SAN at all without them. */
  names?: string[]
  /** It expired yesterday. */
  expired?: boolean
}

/** A certificate with its key, as PEM texts, fit for `tls.connect()` and for startHaraka(). */
export interface Certificate {
  key: string
  cert: string
  /** SHA-256 of the certificate as `AB:CD:…`, as openssl prints it. */
  fingerprint256: string
}

/** A certificate authority for tests. Others do not trust it. */
export class CertificateAuthority {
  /** Its certificate, PEM. */
  readonly cert: string
  readonly #dir = scratchDir('certificates')
  #count = 0

  constructor(name: string) {
    this.cert = this.#selfSigned('ca', { commonName: name }, 'CA:TRUE').cert
  }

  /** A certificate for a server or a client, signed by this authority. */
  issue(holder: Holder): Certificate {
    const name = `cert-${++this.#count}`
    this.#openssl(
      ['req', '-new', ...NEW_KEY, '-keyout', `${name}.key`, '-out', `${name}.csr`],
      ['-subj', subject(holder)],
    )
    writeFileSync(path.join(this.#dir, `${name}.ext`), extensions(holder, 'CA:FALSE'))
    if (holder.expired) {
      this.#signExpired(name)
    } else {
      this.#openssl(
        ['x509', '-req', '-in', `${name}.csr`, '-out', `${name}.pem`, '-days', '2'],
        ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', `${name}.ext`],
      )
    }
    return this.#read(name)
  }

  /** `openssl x509` cannot set an end in the past. */
  #signExpired(name: string): void {
    const files =
      'database=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=any'
    const any = '[any]\norganizationName=optional\ncommonName=optional\n'
    writeFileSync(path.join(this.#dir, 'ca.cnf'), `[ca]\ndefault_ca=own\n[own]\n${files}\n${any}`)
    writeFileSync(path.join(this.#dir, 'index.txt'), '')
    const utc = (days: number) =>
      new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:T]|\.\d+/g, '')
    this.#openssl(
      ['ca', '-batch', '-notext', '-config', 'ca.cnf', '-cert', 'ca.pem', '-keyfile', 'ca.key'],
      ['-rand_serial', '-in', `${name}.csr`, '-out', `${name}.pem`, '-extfile', `${name}.ext`],
      ['-startdate', utc(-2), '-enddate', utc(-1)],
    )
  }

  /** A self-signed certificate, for fingerprints. */
  selfSigned(holder: Holder): Certificate {
    return this.#selfSigned(`cert-${++this.#count}`, holder, 'CA:FALSE')
  }

  #selfSigned(name: string, holder: Holder, constraints: string): Certificate {
    const config = `[req]\nprompt=no\ndistinguished_name=dn\n[dn]\n[ext]\n${extensions(holder, constraints)}`
    writeFileSync(path.join(this.#dir, `${name}.cnf`), config)
    this.#openssl(
      ['req', '-x509', '-new', ...NEW_KEY, '-keyout', `${name}.key`, '-out', `${name}.pem`],
      ['-days', '2', '-subj', subject(holder), '-config', `${name}.cnf`, '-extensions', 'ext'],
    )
    return this.#read(name)
  }

  #openssl(...args: string[][]): void {
    execFileSync(findTool('openssl'), args.flat(), { cwd: this.#dir, stdio: 'pipe' })
  }

  #read(name: string): Certificate {
    const cert = readFileSync(path.join(this.#dir, `${name}.pem`), 'utf8')
    const key = readFileSync(path.join(this.#dir, `${name}.key`), 'utf8')
    return { key, cert, fingerprint256: new X509Certificate(cert).fingerprint256 }
  }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

function subject({ commonName }: Holder): string {
  return `/O=Test${commonName === undefined ? '' : `/CN=${commonName}`}`
}

function extensions({ names = [] }: Holder, constraints: string): string {
  const san = names.map((name) => `DNS:${name}`).join(',')
  return `basicConstraints=critical,${constraints}\n${san && `subjectAltName=${san}\n`}`
}
