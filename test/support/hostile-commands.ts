import fc from 'fast-check'
import { CORPUS, hostilePath } from './hostile-addresses'

/** The octets of one write, and whether a message follows where possible. */
export interface Step {
  readonly bytes: Buffer
  readonly deliver: boolean
}

const pick = <T>(...texts: readonly T[]) => fc.constantFrom(...texts)

const PARAMETERS = [
  ...[' SMTPUTF8', ' SMTPUTF8 BODY=8BITMIME', ' SIZE=1000', ' SIZE=0', ' SIZE=-1'],
  ...[' SIZE=99999999999999999999', ' SIZE=0x10', ' SIZE=', ' SIZE', ' BODY=BINARYMIME', ' BODY='],
  ...[' AUTH=<>', ' AUTH=a+40b', ' AUTH=<u@contoso.com>', ' AUTH==', ' RET=HDRS ENVID=a+0Db'],
  ...[' NOTIFY=NEVER ORCPT=rfc822;u+40contoso.com', ' __proto__=1', ' constructor=x', ' toString'],
  ...[
    ' =',
    ' ==',
    ' a=b=c',
    ' \t',
    ' \u0000',
    ' SMTPUTF8 SMTPUTF8',
    ` X=${'y'.repeat(300)}`,
    ' ü=ü',
  ],
]

const VERBS = {
  MAIL: [
    'MAIL FROM:',
    'MAIL FROM:',
    'MAIL FROM:',
    'mail from:',
    'MAIL  FROM: ',
    'MAIL FROM :',
    'MAIL\tFROM:',
  ],
  RCPT: ['RCPT TO:', 'rcpt to:', 'RCPT  TO: ', 'RCPT TO :', 'RCPT\tTO:'],
} as const

/** Line ends, and what looks like one. */
const ENDS = ['\n', '\r\r\n', '\u0000\r\n', '\r \r\n', ' \r\n']

const PATHS = fc.oneof(
  { weight: 4, arbitrary: hostilePath },
  { weight: 2, arbitrary: pick(...CORPUS.map(([, path]) => path)) },
)
const SENDERS = fc.oneof(
  { weight: 3, arbitrary: PATHS },
  {
    weight: 2,
    arbitrary: pick('<u@evil.example>', '<u@contoso.com>', '<>', '<u@münchen.example>'),
  },
)
const RECIPIENTS = fc.oneof(
  { weight: 3, arbitrary: PATHS },
  { weight: 2, arbitrary: pick('<u@far.example>', '<u@contoso.com>') },
)

/** Each part is mostly valid, so that commands get far enough. */
function command(verb: keyof typeof VERBS, paths: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const mostly = (good: string, texts: readonly string[]) =>
    fc.oneof({ weight: 3, arbitrary: fc.constant(good) }, { weight: 1, arbitrary: pick(...texts) })
  return fc
    .tuple(mostly(VERBS[verb][0], VERBS[verb]), paths, mostly('', PARAMETERS), mostly('\r\n', ENDS))
    .map((parts) => parts.join(''))
}

const OTHERS = [
  ...[
    'NOOP\r\n',
    'RSET\r\n',
    'RSET x\r\n',
    'HELP\r\n',
    'EXPN u\r\n',
    'BDAT 5 LAST\r\nhello\r\n',
    'BDAT x\r\n',
  ],
  ...[
    'STARTTLS\r\n',
    'ETRN x\r\n',
    'TURN\r\n',
    'SEND FROM:<u@contoso.com>\r\n',
    '\r\n',
    ' \r\n',
    '\n',
    '\r',
    '\u0000\r\n',
  ],
  ...[
    '__proto__\r\n',
    'constructor x\r\n',
    'toString\r\n',
    'cmd_mail\r\n',
    'MAIL\r\n',
    'RCPT\r\n',
    'MAIL FROM\r\n',
  ],
  ...[
    'GET / HTTP/1.1\r\nHost: x\r\n',
    '\u0016\u0003\u0001x\r\n',
    'AUTH\r\n',
    'AUTH X\r\n',
    'XCLIENT\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r\n',
  ],
  ...[
    `NOOP ${'x'.repeat(600)}\r\n`,
    `${'x'.repeat(2000)}\r\n`,
    '\u202eNOOP\r\n',
    '\u001b[2J\r\n',
    'INTERNALCMD x\r\n',
  ],
]

/** Overwrites or inserts bytes that are not text. */
function withBytes(text: string, at: number, bytes: readonly number[]): Buffer {
  const buffer = Buffer.from(text)
  const where = at % (buffer.length + 1)
  return Buffer.concat([buffer.subarray(0, where), Buffer.from(bytes), buffer.subarray(where)])
}

const RAW = fc.array(
  pick(0x00, 0x0a, 0x0d, 0x1b, 0x7f, 0x80, 0x9b, 0xa0, 0xc0, 0xaf, 0xed, 0xfe, 0xff),
  {
    minLength: 1,
    maxLength: 3,
  },
)

/** A transaction in one write (PIPELINING), more or less well-formed. */
export const transaction: fc.Arbitrary<Step> = fc
  .tuple(
    command('MAIL', SENDERS),
    fc.array(command('RCPT', RECIPIENTS), { minLength: 1, maxLength: 3 }),
    fc.option(fc.tuple(fc.nat(), RAW), { freq: 8 }),
    fc.boolean(),
  )
  .map(([mail, rcpts, raw, deliver]) => {
    const text = [mail, ...rcpts].join('')
    return { bytes: raw ? withBytes(text, ...raw) : Buffer.from(text), deliver }
  })

/** Other commands, known and unknown. */
export const otherCommand: fc.Arbitrary<Step> = fc
  .tuple(
    fc.array(pick(...OTHERS), { minLength: 1, maxLength: 3 }),
    fc.option(fc.tuple(fc.nat(), RAW)),
  )
  .map(([lines, raw]) => ({
    bytes: raw ? withBytes(lines.join(''), ...raw) : Buffer.from(lines.join('')),
    deliver: false,
  }))

const NAMES = [
  ...[
    'client.example',
    '[192.0.2.1]',
    '[IPv6:::1]',
    'contoso.com',
    'ü.example',
    'a b c',
    '__proto__',
    'constructor',
  ],
  ...[
    'x'.repeat(400),
    '\u202ex',
    'x\u001b[2J',
    'x\u0000y',
    'x\ry',
    '{contoso}',
    '*',
    '"',
    '\t',
    '<u@contoso.com>',
    '',
  ],
]

/** EHLO or HELO. */
export const greeting: fc.Arbitrary<string> = fc
  .tuple(pick('EHLO', 'EHLO', 'EHLO', 'HELO', 'ehlo'), pick(...NAMES))
  .map((words) => `${words.join(' ')}\r\n`)

/** AUTH users: of a tenant, almost of a tenant, and ones that break a key, a line or a pattern. */
export const USERS: readonly string[] = [
  ...[
    'alice',
    'ALICE',
    'alice\u0000bob',
    'alice\u0001',
    'alice\u007f',
    'al\u200bice',
    'аlice',
    'ａlice',
    'alice ',
  ],
  ...[
    'boss@users.example',
    'BOSS@USERS.EXAMPLE',
    'x@users.example',
    'x@users．example',
    '*@users.example',
    '*@*',
  ],
  ...[
    'x@uѕers.example',
    'x@users.example.',
    'x@evil.example@users.example',
    'x@contoso.com',
    'x@ｃontoso.com',
  ],
  ...[
    'x@sub.contoso.com',
    '@contoso.com',
    'x@',
    '@',
    '*',
    '*@contoso.com',
    'ud:{contoso}',
    '{@connectors}',
    '}{',
  ],
  ...[
    '__proto__',
    'constructor',
    'hasOwnProperty',
    'x@__proto__',
    'x@constructor',
    'contoso/mx',
    '../..',
    '%s',
    '$0',
  ],
  ...[
    'a\r\nb',
    'a\u001b[2J',
    '\u202egnp',
    'a\u2028b',
    'a" tenant="b',
    'ü@münchen.example',
    '💩',
    'x@[192.0.2.1]',
  ],
  ...['x'.repeat(255), `x@${'a.'.repeat(60)}example`, `${'x'.repeat(200)}@contoso.com`],
]

/** XCLIENT attributes, with addresses of tenants, without a tenant, and missing. */
export const XCLIENTS: readonly string[] = [
  ...[
    'ADDR=192.0.2.1',
    'ADDR=192.0.2.77',
    'ADDR=198.51.100.1',
    'ADDR=IPV6:2001:db8::1',
    'ADDR=IPv6:::ffff:192.0.2.1',
  ],
  ...[
    'ADDR=2001:db8::1',
    'ADDR=IPV6:fe80::1%eth0',
    'ADDR=IPV6:fe80::1%..-',
    'ADDR=0300.0.2.1',
    'ADDR=192.0.2.001',
  ],
  ...[
    'ADDR=3221225985',
    'ADDR=192.0.2.1.',
    'ADDR=[UNAVAILABLE]',
    'ADDR=',
    'ADDR',
    'ADDR=192.0.2.1 ADDR=192.0.2.77',
  ],
  ...[
    'ADDR=192.0.2.1 LOGIN=alice',
    'ADDR=192.0.2.77 LOGIN=alice@contoso.com NAME=contoso.com',
    'LOGIN=alice',
  ],
  ...[
    'ADDR=192.0.2.1 HELO=x\u001b[2J',
    'ADDR=192.0.2.1 NAME=a\rb',
    'ADDR=192.0.2.1 PROTO=ESMTP',
    'ADDR=192.0.2.1 PORT=x',
  ],
  ...[
    'ADDR=192.0.2.1 DESTADDR=x DESTPORT=587',
    'ADDR=192.0.2.1 DESTPORT=1e3',
    '__proto__=1 ADDR=192.0.2.1',
    '=',
    'a=b=c',
  ],
  ...[
    'ADDR=192.0.2.1 X=\u202e',
    `ADDR=192.0.2.1 NAME=${'x'.repeat(300)}`,
    'ADDR=192.0.2.1\u0000',
    'addr=192.0.2.1',
    '',
  ],
]

/** The text of PROXY lines after the word PROXY. */
export const PROXIES: readonly string[] = [
  ...[
    'TCP4 192.0.2.1 127.0.0.1 1000 25',
    'TCP4 192.0.2.77 127.0.0.1 1000 25',
    'TCP6 2001:db8::1 ::1 1000 25',
  ],
  ...[
    'TCP4 0300.0.2.1 127.0.0.1 1 1',
    'TCP4 3221225985 127.0.0.1 1 1',
    'TCP4 0xc0.0.2.1 127.0.0.1 1 1',
    'TCP4 192.0.513 127.0.0.1 1 1',
  ],
  ...[
    'TCP6 fe80::1%eth0 ::1 1 1',
    'TCP6 fe80::1%{}*\u001b ::1 1 1',
    'TCP6 ::ffff:192.0.2.1 ::1 1 1',
    'TCP6 192.0.2.1 ::1 1 1',
  ],
  ...[
    'TCP4 192.0.2.1 127.0.0.1 99999999999 -1',
    'TCP4 192.0.2.1 127.0.0.1 1',
    'TCP4 a b c d',
    'UNKNOWN',
    'UNKNOWN a b 1 1',
  ],
  ...[
    'TCP4 192.0.2.1\u0000 127.0.0.1 1 1',
    'TCP4 192.0.2.1 127.0.0.1 1 1 x',
    'TCP5 1 1 1 1',
    '',
    'TCP4 ::1 ::1 1 1',
    `TCP4 ${'1'.repeat(300)} 1 1 1`,
  ],
]
