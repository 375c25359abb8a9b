import { hostname } from 'node:os'
import constants from 'haraka-constants'
import type { Channel } from '../../src/alerts/channel'
import { Dispatcher, type DispatcherEvents } from '../../src/alerts/dispatcher'
import { HeldContacts } from '../../src/alerts/held-contacts'
import {
  ContactChannel,
  MailChannel,
  type Contact,
  type MailTransport,
  type SendMail,
} from '../../src/alerts/mail'
import { ContactTemplates, siteTexts, type SiteTexts } from '../../src/alerts/contact-templates'
import { forgetLeft } from '../../src/alerts/forget-left'
import { placeOf, USUAL_CHANNELS, type ChannelSettings } from '../../src/alerts/channel-settings'
import { withLinks } from '../../src/alerts/link'
import { NamedChannel } from '../../src/alerts/named-channel'
import { MemoryQueue } from '../../src/alerts/memory-queue'
import { AlertQueue } from '../../src/alerts/queue'
import { SCHEDULE } from '../../src/alerts/schedule'
import { webhookPlace, type AlertSettings } from '../../src/alerts/settings'
import { WebhookChannel } from '../../src/alerts/webhook'
import { within } from '../../src/base/deadline'
import { messageOf } from '../../src/base/errors'
import type { Config } from '../../src/process/config'
import type { Engine } from '../../src/process/engine'
import type { Alert } from '../../src/records/event'
import { addressOf } from '../../src/store/connection'
import { isNotConnected, redisFailure } from '../../src/store/failure'
import type { Outbound, Plugin } from '../kit/haraka'
import { type LogOnce, logTextOnce } from '../kit/log'
import { logAlert } from './engine-log'
import { configDirectory } from './ini-file'
import { RedisWatch } from './redis-watch'

/** Hooks of other plugins run before a message is queued; Haraka gives each of them 30 s. In ms. */
const LONGEST_QUEUEING = SCHEDULE.lease - 10_000

/** How one channel delivers: what waits in Redis, and what waits here. */
interface Delivery {
  readonly fromStream: Dispatcher
  /** Begins with the first alert in {@link queue}. */
  readonly fromMemory: Dispatcher
  readonly queue: MemoryQueue
}

function end({ fromStream, fromMemory }: Delivery): void {
  fromStream.stop()
  fromMemory.stop()
}

/** Delivers alerts, in the leading process of each Haraka. */
export class Alerts {
  /** By the names of their channels. */
  private readonly deliveries = new Map<string, Delivery>()
  private readonly redisWatch: RedisWatch
  private readonly log: LogOnce
  private readonly mail: MailTransport
  private readonly events: DispatcherEvents

  /**
   * Delivers from now on.
   *
   * @param config in effect now.
   */
  constructor(
    private readonly plugin: Plugin,
    private readonly engine: Engine,
    private readonly config: () => Pick<
      Config,
      'alerts' | 'alertChannels' | 'console' | 'owner' | 'redis'
    >,
  ) {
    this.log = logTextOnce((line) => plugin.logwarn(line))
    this.events = this.dispatcherEvents()
    this.mail = {
      ...{ settings: this.settings, host: this.hostName() },
      ...{ send: mailer(plugin), templates: this.texts() },
    }
    this.beginUsual()
    this.configured()
    const { leader, store } = engine
    leader.add(forgetLeft(store, (channel) => this.config().alertChannels.has(channel)))
    const redis = addressOf(config().redis)
    const tell = (alert: Alert): void => this.tellFromMemory(alert)
    this.redisWatch = new RedisWatch({ engine, host: this.mail.host, redis, tell })
    this.redisWatch.start()
  }

  private readonly settings = (): AlertSettings => this.config().alerts

  private beginUsual(): void {
    const { mail } = this
    const { store } = this.engine
    const contactOf = async (tenant: string): Promise<Contact | undefined> => {
      const key = store.keys.tenant(tenant)
      const [name, address] = await store.client.hmget(key, 'name', 'contact')
      return address ? { name: name ?? tenant, address } : undefined
    }
    const held = new HeldContacts(store)
    this.begin(this.linking(new WebhookChannel(this.settings)))
    this.begin(this.linking(new MailChannel(mail)))
    // Tenants have no console.
    this.begin(new ContactChannel(mail, contactOf, (alert) => held.unlessMailed(alert)))
  }

  /** Another configuration may be in effect: begins the channels that are new, and ends those that are gone. */
  configured(): void {
    const { alertChannels } = this.config()
    for (const name of alertChannels.keys()) {
      if (this.deliveries.has(name)) continue
      const settings = (): ChannelSettings | undefined => this.config().alertChannels.get(name)
      this.begin(this.linking(new NamedChannel(name, settings, this.mail)))
    }
    for (const [name, delivery] of this.deliveries) {
      if (USUAL_CHANNELS.includes(name) || alertChannels.has(name)) continue
      end(delivery)
      this.deliveries.delete(name)
    }
  }

  private linking(channel: Channel): Channel {
    return withLinks(channel, () => this.config().console.publicUrl)
  }

  private begin(channel: Channel): void {
    const { engine } = this
    const isUsable = (): boolean => engine.registryState === 'usable'
    const queue = new MemoryQueue()
    const stream = new AlertQueue(engine.store, channel.name)
    const fromStream = new Dispatcher(stream, channel, this.events, isUsable)
    const fromMemory = new Dispatcher(queue, channel, this.events)
    this.deliveries.set(channel.name, { fromStream, fromMemory, queue })
    fromStream.start()
  }

  private tellFromMemory(alert: Alert): void {
    logAlert(this.plugin, alert)
    for (const { fromMemory, queue } of this.deliveries.values()) {
      queue.add(alert)
      fromMemory.start()
    }
  }

  /** Leaves alerts whose delivery has not begun to the other processes. */
  stop(): void {
    this.redisWatch.stop()
    for (const delivery of this.deliveries.values()) end(delivery)
  }

  private texts(): ContactTemplates {
    const site = (): SiteTexts => siteTexts(this.config(), configDirectory(this.plugin))
    return new ContactTemplates(site, (message) => {
      const line = `[alerts] contact_templates: ${message}; the shipped text is mailed`
      this.log.say(line, line)
    })
  }

  private dispatcherEvents(): DispatcherEvents {
    const { plugin, log } = this
    return {
      onDelivered: (channel, { id, kind, tenant }, tries) =>
        plugin.loginfo('alert delivered', { channel, id, kind, tenant, tries }),
      onFailed: (channel, _alert, reason) => {
        const place = this.placeOf(channel)
        const message = `an alert by ${place} was not delivered, and is tried again for 24 h: ${reason}`
        log.say(message, message)
      },
      onGivenUp: (channel, { id, kind, tenant }, tries, reason) =>
        plugin.logerror('alert given up', { channel, id, kind, tenant, tries, reason }),
      onDropped: (channel, alerts, reason) =>
        plugin.logwarn('alerts not delivered', { channel, alerts, reason }),
      onError: (channel, error) => {
        // The connection logs its own failures.
        if (isNotConnected(error)) return
        const message = `alerts by ${channel} wait: ${redisFailure(error)}`
        log.say(message, message)
      },
    }
  }

  private placeOf(channel: string): string {
    const { webhook } = this.settings()
    const named = this.config().alertChannels.get(channel)
    if (named) return `${channel} (${placeOf(named)})`
    return channel === 'webhook' && webhook !== '' ? `webhook to ${webhookPlace(webhook)}` : channel
  }

  private hostName(): string {
    const name = this.plugin.config.get('me', 'value')
    return typeof name === 'string' && name !== '' ? name : hostname()
  }
}

/**
 * Sends by Haraka's own outbound queue: such a message passes no hook of this plugin, so it is neither counted nor refused
 * (Haraka `outbound/index.js`, `send_email`).
 */
function mailer(plugin: Plugin): SendMail {
  return (to, message) => {
    const queued = new Promise<void>((resolve, reject) => {
      const outbound = plugin.haraka_require('outbound') as Outbound
      const done = (code?: number, text?: unknown): void => {
        if (code === constants.ok) resolve()
        else reject(new Error(`Haraka did not queue it: ${messageOf(text)}`))
      }
      // `send_email` changes the array.
      outbound.send_email('<>', [...to], message, done, { origin: plugin })
    })
    return within(LONGEST_QUEUEING, queued)
  }
}
