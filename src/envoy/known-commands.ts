/**
 * The commands that Envoy 1.40 carries out, as its own statistics list them; all others it answers with an error.
 */
export const KNOWN_COMMANDS: ReadonlySet<string> = new Set(
  (
    'append auth bf.add bf.card bf.exists bf.info bf.insert bf.loadchunk bf.madd bf.mexists bf.reserve ' +
    'bf.scandump bitcount bitfield bitfield_ro bitop bitpos client cluster config copy decr decrby del ' +
    'discard dump echo eval evalsha exec exists expire expireat flushall flushdb geoadd geodist geohash ' +
    'geopos georadius georadius_ro georadiusbymember georadiusbymember_ro geosearch geosearchstore get ' +
    'getbit getdel getex getrange getset hdel hello hexists hexpire hexpireat hexpiretime hget hgetall ' +
    'hincrby hincrbyfloat hkeys hlen hmget hmset hpersist hpexpire hpexpireat hpexpiretime hpttl ' +
    'hrandfield hscan hset hsetnx hstrlen httl hvals incr incrby incrbyfloat info info.shard keys lindex ' +
    'linsert llen lmove lpop lpos lpush lpushx lrange lrem lset ltrim mget mset msetnx multi object ' +
    'persist pexpire pexpireat pfadd pfcount pfmerge ping psetex pttl publish quit randomkey rename ' +
    'renamenx restore role rpop rpoplpush rpush rpushx sadd scan scard script sdiff sdiffstore select set ' +
    'setbit setex setnx setrange sinter sinterstore sismember slowlog smembers smismember smove sort ' +
    'sort_ro spop srandmember srem sscan strlen substr sunion sunionstore time touch ttl type unlink ' +
    'unwatch watch xack xadd xautoclaim xclaim xdel xlen xpending xrange xrevrange xtrim zadd zcard ' +
    'zcount zdiff zdiffstore zincrby zinter zinterstore zlexcount zmscore zpopmax zpopmin zrandmember ' +
    'zrange zrangebylex zrangebyscore zrangestore zrank zrem zremrangebylex zremrangebyrank ' +
    'zremrangebyscore zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan zscore zunion zunionstore '
  )
    .trim()
    .split(' '),
);

/** Answered by Envoy itself, before any fault is looked up. */
export const FAULTLESS_COMMANDS: ReadonlySet<string> = new Set([
  'auth',
  'client',
  'echo',
  'hello',
  'ping',
  'quit',
  'time',
]);
