import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { scratchDir } from './scratch'

/** Options of startPostfix(). */
export interface StartPostfixOptions {
  /** Lines of main.cf, after the common ones. */
  mainCf?: string
  /** Further files of its configuration directory, by name; readable for root alone, as keys and passwords must be. */
  files?: Record<string, string>
  /** Addresses with a mailbox here. It accepts no other recipients in their domains. */
  mailboxes?: readonly string[]
  /** Mail to an address is forwarded to the others (virtual_alias_maps), with its sender unchanged. */
  forwards?: Readonly<Record<string, string>>
}

/** The owner of mailboxes (`nobody`): no delivery agent runs with the rights of root or of Postfix. */
const MAILBOX_UID = 65_534

/**
 * A folder for a separate Postfix that uses almost nothing of the system's: its configuration is in `config`, its
 * queue in `queue`, and the mailboxes in `mail`.
 */
export function makePostfixSite(options: StartPostfixOptions): string {
  const site = scratchDir('postfix')
  // Its processes are not root, and must reach their files through our scratch folder.
  for (const folder of [path.dirname(site), site]) chmodSync(folder, 0o711)
  for (const folder of ['config', 'data', 'mail']) mkdirSync(path.join(site, folder))
  makeQueue(site)
  chownSync(path.join(site, 'mail'), MAILBOX_UID, MAILBOX_UID)
  writeFileSync(logFile(site), '')
  const config = path.join(site, 'config')
  for (const [name, text] of Object.entries(options.files ?? {})) {
    writeFileSync(path.join(config, name), text, { mode: 0o600 })
  }
  writeMailboxes(site, options.mailboxes ?? [])
  writeForwards(site, options.forwards ?? {})
  writeMainCf(site, options.mainCf ?? '')
  letFilesRest(config)
  return site
}

/** Sets an old modification time: Postfix waits for files that changed within the last second (dict_load_file_xt()). */
function letFilesRest(folder: string): void {
  const past = Date.now() / 1000 - 60
  for (const name of readdirSync(folder)) utimesSync(path.join(folder, name), past, past)
}

/**
 * The folders of a queue, as `postfix start` would make them. That command also checks all files of the system's
 * Postfix, which takes seconds, and its master leaves our process group.
 */
function makeQueue(site: string): void {
  const own = ['active', 'bounce', 'corrupt', 'defer', 'deferred', 'flush', 'hold', 'incoming']
  const folders = [...own, 'private', 'saved', 'trace', 'public', 'maildrop']
  const queue = path.join(site, 'queue')
  for (const folder of [...folders, 'pid']) mkdirSync(path.join(queue, folder), { recursive: true })
  const paths = folders.map((folder) => path.join(queue, folder))
  // Its package creates the users and the group.
  execFileSync('chown', ['postfix', path.join(site, 'data'), ...paths])
  execFileSync('chgrp', ['postdrop', ...paths.slice(-2)])
  for (const folder of paths) chmodSync(folder, 0o700)
  for (const folder of paths.slice(-2))
    chmodSync(folder, folder.endsWith('public') ? 0o710 : 0o1730)
}

/**
 * Its log file. Not stdout: Postfix opens that by name, and stdout of a child of Node is a socket, which cannot be
 * opened.
 */
export function logFile(site: string): string {
  return path.join(site, 'log')
}

/** Where Postfix delivers the mail of an address (Maildir). */
export function mailboxDir(site: string, address: string): string {
  return path.join(site, 'mail', address)
}

function writeMailboxes(site: string, addresses: readonly string[]): void {
  const lines = addresses.map((address) => `${address} ${address}/\n`)
  writeFileSync(path.join(site, 'config/mailboxes'), lines.join(''))
  const domains = new Set(addresses.map((address) => address.slice(address.lastIndexOf('@') + 1)))
  writeFileSync(
    path.join(site, 'config/domains'),
    [...domains].map((each) => `${each} -\n`).join(''),
  )
}

function writeForwards(site: string, forwards: Readonly<Record<string, string>>): void {
  const lines = Object.entries(forwards).map(([from, to]) => `${from} ${to}\n`)
  writeFileSync(path.join(site, 'config/forwards'), lines.join(''))
}

/** main.cf with these lines at the end. */
function writeMainCf(site: string, lines: string): void {
  const config = path.join(site, 'config')
  const text = `compatibility_level = 3.6
queue_directory = ${site}/queue
data_directory = ${site}/data
maillog_file = ${logFile(site)}
maillog_file_prefixes = ${site}
myhostname = mx.onpremises.example
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
# It asks no name server.
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
virtual_mailbox_domains = texthash:${config}/domains
virtual_mailbox_maps = texthash:${config}/mailboxes
virtual_mailbox_base = ${site}/mail
virtual_uid_maps = static:${MAILBOX_UID}
virtual_gid_maps = static:${MAILBOX_UID}
virtual_alias_maps = texthash:${config}/forwards

`
  writeFileSync(path.join(config, 'main.cf'), text + lines)
}

/** master.cf: the services to accept mail by SMTP, deliver to mailboxes and relay; nothing in a chroot. */
export function writeMasterCf(site: string, port: number): void {
  const services = `127.0.0.1:${port} inet n - n - - smtpd
pickup   unix n - n 60  1 pickup
cleanup  unix n - n -   0 cleanup
qmgr     unix n - n 300 1 qmgr
tlsmgr   unix - - n 1000? 1 tlsmgr
rewrite  unix - - n -   - trivial-rewrite
bounce   unix - - n -   0 bounce
defer    unix - - n -   0 bounce
trace    unix - - n -   0 bounce
flush    unix n - n 1000? 0 flush
proxymap unix - - n -   - proxymap
smtp     unix - - n -   - smtp
relay    unix - - n -   - smtp
showq    unix n - n -   - showq
error    unix - - n -   - error
retry    unix - - n -   - error
virtual  unix - n n -   - virtual
anvil    unix - - n -   1 anvil
scache   unix - - n -   1 scache
postlog  unix-dgram n - n - 1 postlogd
`
  writeFileSync(path.join(site, 'config/master.cf'), services)
}
