package ipfs

import (
	"slices"
	"testing"

	"github.com/crustgo/crust/client/metadata"
)

const (
	fileA = "QmWATWQ7fVPP2EFGu71UkfnqhYXDYH566qy47CnJDgvs8u"
	fileB = "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4"
)

func orderCall(file, memo string) metadata.Variant {
	return metadata.Variant{Name: "Market.place_storage_order", Value: metadata.Record{
		{Name: "cid", Value: metadata.Bytes(file)}, {Name: "reported_file_size", Value: uint64(5)}, {Name: "tips", Value: uint64(0)}, {Name: "memo", Value: metadata.Bytes(memo)}}}
}

// Orders are found in batches and behind other calls, under whatever text of their CID, and
// only to some depth.
func TestMemoIn(t *testing.T) {
	batch := metadata.Variant{Name: "Utility.batch_all", Value: metadata.Record{{Name: "calls", Value: metadata.List{
		orderCall(fileB, "elsewhere"), orderCall(fileA, "first"), metadata.Variant{Name: "System.remark", Value: metadata.Record{}}, orderCall(fileA, "second")}}}}
	sudo := metadata.Variant{Name: "Sudo.sudo", Value: metadata.Record{{Name: "call", Value: batch}}}
	v1 := orderCall("bafybeidu4w6c7pkaf2jhhmyxsnfvczhq4jsqwz7wbv6x3o3ro6qdvq2jle", "not it")
	deep := metadata.Value(orderCall(fileA, "too deep"))
	for range 20 {
		deep = metadata.Variant{Name: "Sudo.sudo", Value: metadata.Record{{Name: "call", Value: deep}}}
	}
	for _, c := range []struct {
		call metadata.Value
		want string
	}{
		{orderCall(fileA, "here"), " here"}, {sudo, " first second"}, {orderCall(fileB, "here"), ""}, {v1, ""}, {deep, ""},
		{orderCall("no cid", "x"), ""}, {metadata.Variant{Name: "Market.place_storage_order"}, ""}, {nil, ""},
	} {
		got := ""
		memoIn(c.call, fileA, 8, &got)
		if got != c.want {
			t.Errorf("%v: %q, not %q", c.call, got, c.want)
		}
	}
}

func TestTouched(t *testing.T) {
	event := func(pallet, name, file string) metadata.Event {
		return metadata.Event{Pallet: pallet, Name: name, Fields: metadata.Record{{Name: "cid", Value: metadata.Bytes(file)}}}
	}
	files, placed, removed, recounted := touched([]metadata.Event{
		event("Market", "FileSuccess", fileA), event("Market", "ReplicaRemoved", fileB), event("Other", "FileSuccess", "x"),
		{Pallet: "Market", Name: "SetBaseFeeSuccess"}, {Pallet: "Swork", Name: "RecountPublished"},
	})
	if !slices.Equal(files, []string{fileA, fileB}) || !placed[fileA] || placed[fileB] || removed[fileA] || !removed[fileB] || !recounted {
		t.Errorf("%v, %v, %v, %v", files, placed, removed, recounted)
	}
}

func TestSet(t *testing.T) {
	all := set([]string{"bafybeib5a6rfwcv2xlctmzpqqetlzejrfnyr3gkvhzpuw4qnbvhsqwxbwy", fileB, "nonsense"})
	if _, ok := all[fileB]; !ok || len(all) != 3 {
		t.Errorf("%v", all)
	}
}
