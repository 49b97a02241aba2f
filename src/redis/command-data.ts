/**
 * The commands of redis 7.0.15 and valkey 9.1.2, a line each; command-spec.ts says how to read them.
 *
 * Made by tooling/commands.ts; a test holds it to live servers.
 */
export const COMMAND_LINES = `
acl -2 -
append 3 w 1:0.1.0
asking 1 -
auth -2 -
bgrewriteaof 1 -
bgsave -1 -
bitcount -2 r 1:0.1.0
bitfield -2 w 1:0.1.0
bitfield_ro -2 r 1:0.1.0
bitop -4 w 2:0.1.0 3:-1.1.0
bitpos -3 r 1:0.1.0
blmove 6 wb 1:0.1.0 2:0.1.0
blmpop -5 wb 2:#0.1.1
blpop -3 wb 1:-2.1.0
brpop -3 wb 1:-2.1.0
brpoplpush 4 wb 1:0.1.0 2:0.1.0
bzmpop -5 wb 2:#0.1.1
bzpopmax -3 wb 1:-2.1.0
bzpopmin -3 wb 1:-2.1.0
client -2 -
cluster -2 -
clusterscan -2 r 1:0.1.0
command -1 -
commandlog -2 -
config -2 -
copy -3 w 1:0.1.0 2:0.1.0
dbsize 1 r
debug -2 -
decr 2 w 1:0.1.0
decrby 3 w 1:0.1.0
del -2 w 1:-1.1.0
delifeq 3 w 1:0.1.0
discard 1 -
dump 2 r 1:0.1.0
echo 2 -
eval -3 - 2:#0.1.1
eval_ro -3 r 2:#0.1.1
evalsha -3 - 2:#0.1.1
evalsha_ro -3 r 2:#0.1.1
exec 1 -
exists -2 r 1:-1.1.0
expire -3 w 1:0.1.0
expireat -3 w 1:0.1.0
expiretime 2 r 1:0.1.0
failover -1 -
fcall -3 - 2:#0.1.1
fcall_ro -3 r 2:#0.1.1
flushall -1 w
flushdb -1 w
function -2 -
geoadd -5 w 1:0.1.0
geodist -4 r 1:0.1.0
geohash -2 r 1:0.1.0
geopos -2 r 1:0.1.0
georadius -6 w 1:0.1.0 STORE@6:0.1.0 STOREDIST@6:0.1.0
georadius_ro -6 r 1:0.1.0
georadiusbymember -5 w 1:0.1.0 STORE@5:0.1.0 STOREDIST@5:0.1.0
georadiusbymember_ro -5 r 1:0.1.0
geosearch -7 r 1:0.1.0
geosearchstore -8 w 1:0.1.0 2:0.1.0
get 2 r 1:0.1.0
getbit 3 r 1:0.1.0
getdel 2 w 1:0.1.0
getex -2 w 1:0.1.0
getrange 4 r 1:0.1.0
getset 3 w 1:0.1.0
hdel -3 w 1:0.1.0
hello -1 -
hexists 3 r 1:0.1.0
hexpire -6 w 1:0.1.0
hexpireat -6 w 1:0.1.0
hexpiretime -5 r 1:0.1.0
hget 3 r 1:0.1.0
hgetall 2 r 1:0.1.0
hgetdel -5 w 1:0.1.0
hgetex -5 w 1:0.1.0
hincrby 4 w 1:0.1.0
hincrbyfloat 4 w 1:0.1.0
hkeys 2 r 1:0.1.0
hlen 2 r 1:0.1.0
hmget -3 r 1:0.1.0
hmset -4 w 1:0.1.0
hpersist -5 w 1:0.1.0
hpexpire -6 w 1:0.1.0
hpexpireat -6 w 1:0.1.0
hpexpiretime -5 r 1:0.1.0
hpttl -5 r 1:0.1.0
hrandfield -2 r 1:0.1.0
hscan -3 r 1:0.1.0
hset -4 w 1:0.1.0
hsetex -6 w 1:0.1.0
hsetnx 4 w 1:0.1.0
hstrlen 3 r 1:0.1.0
httl -5 r 1:0.1.0
hvals 2 r 1:0.1.0
incr 2 w 1:0.1.0
incrby 3 w 1:0.1.0
incrbyfloat 3 w 1:0.1.0
info -1 -
keys 2 r
lastsave 1 -
latency -2 -
lcs -3 r 1:1.1.0
lindex 3 r 1:0.1.0
linsert 5 w 1:0.1.0
llen 2 r 1:0.1.0
lmove 5 w 1:0.1.0 2:0.1.0
lmpop -4 w 1:#0.1.1
lolwut -1 r
lpop -2 w 1:0.1.0
lpos -3 r 1:0.1.0
lpush -3 w 1:0.1.0
lpushx -3 w 1:0.1.0
lrange 4 r 1:0.1.0
lrem 4 w 1:0.1.0
lset 4 w 1:0.1.0
ltrim 4 w 1:0.1.0
memory -2 r 2:0.1.0
mget -2 r 1:-1.1.0
migrate -6 w 3:0.1.0 KEYS@-2:-1.1.0
module -2 -
monitor 1 -
move 3 w 1:0.1.0
mset -3 w 1:-1.2.0
msetex -4 w 1:#0.1.2
msetnx -3 w 1:-1.2.0
multi 1 -
object -2 r 2:0.1.0
persist 2 w 1:0.1.0
pexpire -3 w 1:0.1.0
pexpireat -3 w 1:0.1.0
pexpiretime 2 r 1:0.1.0
pfadd -2 w 1:0.1.0
pfcount -2 r 1:-1.1.0
pfdebug 3 w 2:0.1.0
pfmerge -2 w 1:0.1.0 2:-1.1.0
pfselftest 1 -
ping -1 -
psetex 4 w 1:0.1.0
psubscribe -2 p
psync -3 -
pttl 2 r 1:0.1.0
publish 3 p
pubsub -2 -
punsubscribe -1 p
quit -1 -
randomkey 1 r
readonly 1 -
readwrite 1 -
rename 3 w 1:0.1.0 2:0.1.0
renamenx 3 w 1:0.1.0 2:0.1.0
replconf -1 -
replicaof 3 -
reset 1 -
restore -4 w 1:0.1.0
restore-asking -4 w 1:0.1.0
role 1 -
rpop -2 w 1:0.1.0
rpoplpush 3 w 1:0.1.0 2:0.1.0
rpush -3 w 1:0.1.0
rpushx -3 w 1:0.1.0
sadd -3 w 1:0.1.0
save 1 -
scan -2 r
scard 2 r 1:0.1.0
script -2 -
sdiff -2 r 1:-1.1.0
sdiffstore -3 w 1:0.1.0 2:-1.1.0
select 2 -
set -3 w 1:0.1.0
setbit 4 w 1:0.1.0
setex 4 w 1:0.1.0
setnx 3 w 1:0.1.0
setrange 4 w 1:0.1.0
shutdown -1 -
sinter -2 r 1:-1.1.0
sintercard -3 r 1:#0.1.1
sinterstore -3 w 1:0.1.0 2:-1.1.0
sismember 3 r 1:0.1.0
slaveof 3 -
slowlog -2 -
smembers 2 r 1:0.1.0
smismember -3 r 1:0.1.0
smove 4 w 1:0.1.0 2:0.1.0
sort -2 w 1:0.1.0
sort_ro -2 r 1:0.1.0
spop -2 w 1:0.1.0
spublish 3 p 1:0.1.0
srandmember -2 r 1:0.1.0
srem -3 w 1:0.1.0
sscan -3 r 1:0.1.0
ssubscribe -2 p 1:-1.1.0
strlen 2 r 1:0.1.0
subscribe -2 p
substr 4 r 1:0.1.0
sunion -2 r 1:-1.1.0
sunionstore -3 w 1:0.1.0 2:-1.1.0
sunsubscribe -1 p 1:-1.1.0
swapdb 3 w
sync 1 -
time 1 -
touch -2 r 1:-1.1.0
ttl 2 r 1:0.1.0
type 2 r 1:0.1.0
unlink -2 w 1:-1.1.0
unsubscribe -1 p
unwatch 1 -
wait 3 b
waitaof 4 b
watch -2 - 1:-1.1.0
xack -4 w 1:0.1.0
xadd -5 w 1:0.1.0
xautoclaim -6 w 1:0.1.0
xclaim -6 w 1:0.1.0
xdel -3 w 1:0.1.0
xgroup -2 w 2:0.1.0
xinfo -2 r 2:0.1.0
xlen 2 r 1:0.1.0
xpending -3 r 1:0.1.0
xrange -4 r 1:0.1.0
xread -4 rb STREAMS@1:-1.1.2
xreadgroup -7 wb STREAMS@4:-1.1.2
xrevrange -4 r 1:0.1.0
xsetid -3 w 1:0.1.0
xtrim -4 w 1:0.1.0
zadd -4 w 1:0.1.0
zcard 2 r 1:0.1.0
zcount 4 r 1:0.1.0
zdiff -3 r 1:#0.1.1
zdiffstore -4 w 1:0.1.0 2:#0.1.1
zincrby 4 w 1:0.1.0
zinter -3 r 1:#0.1.1
zintercard -3 r 1:#0.1.1
zinterstore -4 w 1:0.1.0 2:#0.1.1
zlexcount 4 r 1:0.1.0
zmpop -4 w 1:#0.1.1
zmscore -3 r 1:0.1.0
zpopmax -2 w 1:0.1.0
zpopmin -2 w 1:0.1.0
zrandmember -2 r 1:0.1.0
zrange -4 r 1:0.1.0
zrangebylex -4 r 1:0.1.0
zrangebyscore -4 r 1:0.1.0
zrangestore -5 w 1:0.1.0 2:0.1.0
zrank -3 r 1:0.1.0
zrem -3 w 1:0.1.0
zremrangebylex 4 w 1:0.1.0
zremrangebyrank 4 w 1:0.1.0
zremrangebyscore 4 w 1:0.1.0
zrevrange -4 r 1:0.1.0
zrevrangebylex -4 r 1:0.1.0
zrevrangebyscore -4 r 1:0.1.0
zrevrank -3 r 1:0.1.0
zscan -3 r 1:0.1.0
zscore 3 r 1:0.1.0
zunion -3 r 1:#0.1.1
zunionstore -4 w 1:0.1.0 2:#0.1.1
`;
