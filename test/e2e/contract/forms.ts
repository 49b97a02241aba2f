/**
 * Every command of the command table in a form that Redis carries out, and what its key holds before.
 *
 * A line: `seed name arguments…`. K is the key, L and M are further keys beside it, ID is the case's own word, SHA a script
 * that is loaded, `_` an empty word.
 */
const KEYED = `
string append K x
string bitcount K
string bitfield K GET u4 0
string bitfield_ro K GET u4 0
string bitop NOT L K
string bitpos K 1
list blmove K L LEFT RIGHT 1
list blmpop 1 1 K LEFT
list blpop K 1
list brpop K 1
list brpoplpush K L 1
zset bzmpop 1 1 K MIN
zset bzpopmax K 1
zset bzpopmin K 1
string copy K M
string decr K
string decrby K 3
string del K
string delifeq K 10
string dump K
string eval return(KEYS[1]) 1 K x
string eval_ro return(KEYS[1]) 1 K x
string evalsha SHA 1 K x
string evalsha_ro SHA 1 K x
string exists K
string expire K 100
string expireat K 33177117420
string expiretime K
none fcall lacking 1 K x
none fcall_ro lacking 1 K x
geo geoadd K 13.5 38.5 n
geo geodist K m m
geo geohash K m
geo geopos K m
geo georadius K 13 38 200 km
geo georadius_ro K 13 38 200 km
geo georadiusbymember K m 200 km
geo georadiusbymember_ro K m 200 km
geo geosearch K FROMMEMBER m BYRADIUS 200 km
geo geosearchstore L K FROMMEMBER m BYRADIUS 200 km
string get K
string getbit K 1
string getdel K
string getex K PERSIST
string getrange K 0 0
string getset K x
hash hdel K f
hash hexists K f
hash hexpire K 100 FIELDS 1 f
hash hexpireat K 33177117420 FIELDS 1 f
hash hexpiretime K FIELDS 1 f
hash hget K f
hash hgetall K
hash hgetdel K FIELDS 1 f
hash hgetex K FIELDS 1 f
hash hincrby K f 2
hash hincrbyfloat K f 1.5
hash hkeys K
hash hlen K
hash hmget K f none
hash hmset K f 2
hash hpersist K FIELDS 1 f
hash hpexpire K 100000 FIELDS 1 f
hash hpexpireat K 33177117420000 FIELDS 1 f
hash hpexpiretime K FIELDS 1 f
hash hpttl K FIELDS 1 f
hash hrandfield K
hash hscan K 0
hash hset K g 2
hash hsetex K FIELDS 1 f 3
hash hsetnx K g 1
hash hstrlen K f
hash httl K FIELDS 1 f
hash hvals K
string incr K
string incrby K 5
string incrbyfloat K 0.5
string lcs K L
list lindex K 0
list linsert K BEFORE a x
list llen K
list lmove K L LEFT RIGHT
list lmpop 1 K LEFT
list lpop K
list lpos K a
list lpush K x
list lpushx K x
list lrange K 0 -1
list lrem K 0 a
list lset K 0 x
list ltrim K 0 0
string memory USAGE K
string mget K
none mset K v
none msetex 1 K v
none msetnx K v
string object ENCODING K
string persist K
string pexpire K 100000
string pexpireat K 33177117420000
string pexpiretime K
hll pfadd K b
hll pfcount K
hll pfmerge L K
string psetex K 100000 v
string pttl K
string rename K M
string renamenx K M
none restore K 0 nonsense
list rpop K
list rpoplpush K L
list rpush K x
list rpushx K x
set sadd K n
set scard K
set sdiff K M
set sdiffstore M K
string set K v
string setbit K 7 1
string setex K 100 v
string setnx K v
string setrange K 1 x
set sinter K L
set sintercard 2 K L
set sinterstore M K L
set sismember K m
set smembers K
set smismember K m n
set smove K L m
list sort K ALPHA
list sort_ro K ALPHA
set spop K
none spublish K message
set srandmember K
set srem K m
set sscan K 0
string strlen K
string substr K 0 0
set sunion K L
set sunionstore M K L
string touch K
string ttl K
string type K
string unlink K
none watch K
stream xack K g 1-1
stream xadd K 2-1 f v
stream xautoclaim K g c 0 0-0
stream xclaim K g c 0 1-1
stream xdel K 1-1
stream xgroup CREATE K h 0
stream xinfo STREAM K
stream xlen K
stream xpending K g
stream xrange K - +
stream xread COUNT 1 STREAMS K 0
stream xreadgroup GROUP g c COUNT 1 STREAMS K >
stream xrevrange K + -
stream xsetid K 5-1
stream xtrim K MAXLEN 0
zset zadd K 2 n
zset zcard K
zset zcount K 0 5
zset zdiff 2 K M
zset zdiffstore M 1 K
zset zincrby K 1 m
zset zinter 2 K L
zset zintercard 2 K L
zset zinterstore M 2 K L
zset zlexcount K - +
zset zmpop 1 K MIN
zset zmscore K m n
zset zpopmax K
zset zpopmin K
zset zrandmember K
zset zrange K 0 -1 WITHSCORES
zset zrangebylex K - +
zset zrangebyscore K 0 5
zset zrangestore M K 0 -1
zset zrank K m
zset zrem K m
zset zremrangebylex K - +
zset zremrangebyrank K 0 0
zset zremrangebyscore K 0 5
zset zrevrange K 0 -1
zset zrevrangebylex K + -
zset zrevrangebyscore K 5 0
zset zrevrank K m
zset zscan K 0
zset zscore K m
zset zunion 2 K L
zset zunionstore M 2 K L
none ssubscribe K
none sunsubscribe K
`;

/** Those that no key places. */
const KEYLESS = `
none acl WHOAMI
none asking
none auth wrong
none bgrewriteaof
none bgsave
none client GETNAME
none cluster KEYSLOT ID
none clusterscan 0
none command COUNT
none commandlog LEN slow
none config GET ID
none dbsize
none debug SLEEP 0
none discard
none echo ID
none exec
none failover
none flushall
none flushdb
none function LIST LIBRARYNAME ID
none hello
none info commandstats
none keys ID*
none lastsave
none latency LATEST
none lolwut VERSION 5
none migrate 127.0.0.1 1 ID 0 10
none module LIST
none monitor
none move ID 1
none multi
none pfdebug GETREG ID
none pfselftest
none ping ID
none psubscribe ID
none psync ? -1
none publish ID message
none pubsub NUMSUB ID
none punsubscribe ID
none quit
none randomkey
none readonly
none readwrite
none replconf capa ID
none replicaof NO ONE
none reset
none restore-asking ID 0 nonsense
none role
none save
none scan 0 MATCH ID
none script EXISTS ID
none select 0
none shutdown ABORT
none slaveof NO ONE
none slowlog LEN
none subscribe ID
none swapdb 0 1
none sync
none time
none unsubscribe ID
none unwatch
none wait 0 0
none waitaof 0 0 0
`;

export interface Form {
  readonly name: string;
  readonly seed: string;
  readonly args: readonly string[];
}

export const KEYED_FORMS: readonly Form[] = parse(KEYED);
export const KEYLESS_FORMS: readonly Form[] = parse(KEYLESS);

function parse(lines: string): readonly Form[] {
  return lines
    .trim()
    .split('\n')
    .map((line) => {
      const [seed = '', name = '', ...args] = line.split(' ');
      return { name, seed, args };
    });
}

/** What a key holds before the command, by the kind of value. */
export const SEEDS: Readonly<Record<string, (key: string) => readonly (readonly string[])[]>> = {
  none: () => [],
  string: (key) => [['SET', key, '10']],
  list: (key) => [['RPUSH', key, 'a', 'b', 'c']],
  hash: (key) => [['HSET', key, 'f', '1']],
  set: (key) => [['SADD', key, 'm']],
  zset: (key) => [['ZADD', key, '1', 'm']],
  geo: (key) => [['GEOADD', key, '13.3', '38.1', 'm']],
  hll: (key) => [['PFADD', key, 'a']],
  stream: (key) => [
    ['XADD', key, '1-1', 'f', 'v'],
    ['XGROUP', 'CREATE', key, 'g', '0'],
  ],
};

/** What `eval` says above, and `SHA` stands for. */
export const SCRIPT = 'return(KEYS[1])';
