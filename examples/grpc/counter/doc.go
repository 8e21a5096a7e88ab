// Package counter is the protocol of the counter, as protoc makes it of counter.proto:
//
//	protoc --go_out=. --go_opt=paths=source_relative \
//		--go-grpc_out=. --go-grpc_opt=paths=source_relative counter.proto
package counter
