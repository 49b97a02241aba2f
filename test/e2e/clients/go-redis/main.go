// Takes the steps of a file with go-redis at its defaults and prints the replies as JSON.
//
// Arguments: PORT, plain or cluster, the file.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"sort"
	"time"

	"github.com/redis/go-redis/v9"
)

type step struct {
	Do          []string   `json:"do"`
	PlainOnly   bool       `json:"plainOnly"`
	Unordered   bool       `json:"unordered"`
	Transaction [][]string `json:"transaction"`
	Pipeline    [][]string `json:"pipeline"`
	Blocking    []string   `json:"blocking"`
	Meanwhile   []string   `json:"meanwhile"`
	Subscribe   string     `json:"subscribe"`
	Pattern     string     `json:"pattern"`
	Channel     string     `json:"channel"`
	Shard       string     `json:"shard"`
	Message     string     `json:"message"`
	Fill        int        `json:"fill"`
	Prefix      string     `json:"prefix"`
	Scan        string     `json:"scan"`
}

var ctx = context.Background()

func main() {
	address, isCluster := "127.0.0.1:"+os.Args[1], os.Args[2] == "cluster"
	text, err := os.ReadFile(os.Args[3])
	must(err)
	var steps []step
	must(json.Unmarshal(text, &steps))
	var client redis.UniversalClient
	if isCluster {
		client = redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{address}})
	} else {
		client = redis.NewClient(&redis.Options{Addr: address})
	}
	replies := []any{}
	for _, each := range steps {
		if each.PlainOnly && isCluster {
			continue
		}
		reply, err := take(client, each)
		if err != nil && !errors.Is(err, redis.Nil) {
			replies = append(replies, map[string]string{"error": err.Error()})
			continue
		}
		value := plain(reply)
		if each.Unordered {
			value = sorted(value)
		}
		replies = append(replies, value)
	}
	must(json.NewEncoder(os.Stdout).Encode(replies))
}

func take(client redis.UniversalClient, each step) (any, error) {
	switch {
	case each.Do != nil:
		return client.Do(ctx, words(each.Do)...).Result()
	case each.Transaction != nil:
		return batch(client.TxPipeline(), each.Transaction)
	case each.Pipeline != nil:
		return batch(client.Pipeline(), each.Pipeline)
	case each.Blocking != nil:
		pushed := make(chan error, 1)
		go func() { pushed <- client.Do(ctx, words(each.Meanwhile)...).Err() }()
		reply, err := client.Do(ctx, words(each.Blocking)...).Result()
		if failed := <-pushed; failed != nil {
			return nil, failed
		}
		return reply, err
	case each.Subscribe != "":
		return hear(client.Subscribe(ctx, each.Subscribe), func() error {
			return client.Publish(ctx, each.Subscribe, each.Message).Err()
		})
	case each.Pattern != "":
		return hear(client.PSubscribe(ctx, each.Pattern), func() error {
			return client.Publish(ctx, each.Channel, each.Message).Err()
		})
	case each.Shard != "":
		return hear(client.SSubscribe(ctx, each.Shard), func() error {
			return client.SPublish(ctx, each.Shard, each.Message).Err()
		})
	case each.Fill > 0:
		for index := range each.Fill {
			if err := client.Set(ctx, fmt.Sprintf("%s%d", each.Prefix, index), "v", 0).Err(); err != nil {
				return nil, err
			}
		}
		return each.Fill, nil
	default:
		return scan(client, each.Scan)
	}
}

func batch(pipeline redis.Pipeliner, commands [][]string) (any, error) {
	results := []*redis.Cmd{}
	for _, command := range commands {
		results = append(results, pipeline.Do(ctx, words(command)...))
	}
	if _, err := pipeline.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	replies := []any{}
	for _, result := range results {
		value, err := result.Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return nil, err
		}
		replies = append(replies, value)
	}
	return replies, nil
}

func hear(subscription *redis.PubSub, publish func() error) (any, error) {
	defer subscription.Close()
	if _, err := subscription.ReceiveTimeout(ctx, 20*time.Second); err != nil {
		return nil, err
	}
	if err := publish(); err != nil {
		return nil, err
	}
	message, err := subscription.ReceiveTimeout(ctx, 20*time.Second)
	if err != nil {
		return nil, err
	}
	heard, ok := message.(*redis.Message)
	if !ok {
		return nil, fmt.Errorf("no message, but %v", message)
	}
	return []any{heard.Channel, heard.Pattern, heard.Payload}, nil
}

func scan(client redis.UniversalClient, pattern string) (any, error) {
	keys := []string{}
	collect := func(ctx context.Context, node *redis.Client) error {
		found := node.Scan(ctx, 0, pattern, 0).Iterator()
		for found.Next(ctx) {
			keys = append(keys, found.Val())
		}
		return found.Err()
	}
	var err error
	if cluster, ok := client.(*redis.ClusterClient); ok {
		err = cluster.ForEachMaster(ctx, collect)
	} else if single, ok := client.(*redis.Client); ok {
		err = collect(ctx, single)
	}
	sort.Strings(keys)
	return keys, err
}

func words(texts []string) []any {
	all := make([]any, len(texts))
	for index, text := range texts {
		all[index] = text
	}
	return all
}

// What JSON can hold: maps as sorted lists of pairs.
func plain(value any) any {
	switch typed := value.(type) {
	case []any:
		list := make([]any, len(typed))
		for index, each := range typed {
			list[index] = plain(each)
		}
		return list
	case map[any]any:
		pairs := []any{}
		for key, each := range typed {
			pairs = append(pairs, []any{plain(key), plain(each)})
		}
		return sorted(pairs)
	case float64:
		if math.IsInf(typed, 0) || math.IsNaN(typed) {
			return fmt.Sprint(typed)
		}
		return typed
	case error:
		return map[string]string{"error": typed.Error()}
	default:
		return typed
	}
}

func sorted(value any) any {
	list, ok := value.([]any)
	if !ok {
		return value
	}
	for index, each := range list {
		list[index] = sorted(each)
	}
	sort.Slice(list, func(a, b int) bool { return text(list[a]) < text(list[b]) })
	return list
}

func text(value any) string {
	bytes, err := json.Marshal(value)
	must(err)
	return string(bytes)
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
