export { startRedis, type StartRedisOptions, type TestRedis } from '../../scripts/services/redis'
