package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// maxPacket bounds what one client can make us hold in memory at once.
const maxPacket = 1 << 20

var (
	errLength   = errors.New("malformed length of a packet")
	errTooLarge = fmt.Errorf("a packet is larger than %d bytes", maxPacket)
	errFlags    = errors.New("reserved flags of a packet are wrong")
	errTrailing = errors.New("a packet is longer than what it holds")
)

// splitPacket is a bufio.SplitFunc that cuts a stream into MQTT packets: a byte of
// type and flags, the length of the rest in one to four bytes, the rest.
func splitPacket(data []byte, atEOF bool) (advance int, packet []byte, err error) {
	if len(data) == 0 {
		return 0, nil, nil
	}
	length, size := binary.Uvarint(data[1:min(len(data), 5)])
	total := 1 + size + int(length)
	switch {
	case size == 0 && len(data) >= 5:
		return 0, nil, errLength
	case size > 0 && total > maxPacket:
		return 0, nil, errTooLarge
	case size > 0 && total <= len(data):
		return total, data[:total], nil
	case atEOF:
		return 0, nil, io.ErrUnexpectedEOF
	default:
		return 0, nil, nil // there is more to come
	}
}

// decodePacket reads a packet as splitPacket has cut it. It keeps nothing of data.
//
// A CONNECT in another version of MQTT is read no further than its version, so
// that it can be answered.
func decodePacket(data []byte) (packets.ControlPacket, error) {
	length, size := binary.Uvarint(data[1:])
	header := packets.FixedHeader{
		MessageType:     data[0] >> 4,
		Dup:             data[0]&8 != 0,
		Qos:             data[0] >> 1 & 3,
		Retain:          data[0]&1 != 0,
		RemainingLength: int(length),
	}
	if err := checkFlags(data[0]); err != nil {
		return nil, err
	}
	packet, err := packets.NewControlPacketWithHeader(header)
	if err != nil {
		return nil, err
	}
	body := bytes.NewReader(data[1+size:])
	err = packet.Unpack(strict{body})
	c, connecting := packet.(*packets.ConnectPacket)
	switch {
	case connecting && otherVersion(c):
		return c, nil
	case connecting && c.ReservedBit != 0:
		err = errFlags
	case err == nil && body.Len() > 0:
		err = errTrailing
	}
	if err != nil {
		return nil, fmt.Errorf("malformed %s: %w", packets.PacketNames[header.MessageType], err)
	}
	return packet, nil
}

// checkFlags holds the table of MQTT's section 2.2.2.
func checkFlags(first byte) error {
	kind, flags := first>>4, first&15
	switch kind {
	case packets.Publish:
		if flags>>1&3 == 3 {
			return errFlags // there is no QoS 3
		}
	case packets.Pubrel, packets.Subscribe, packets.Unsubscribe:
		if flags != 2 {
			return errFlags
		}
	default:
		if flags != 0 {
			return errFlags
		}
	}
	return nil
}

// otherVersion reports whether a CONNECT speaks MQTT 5, or 3.1.
func otherVersion(c *packets.ConnectPacket) bool {
	return c.ProtocolName == "MQTT" && c.ProtocolVersion != 4 || c.ProtocolName == "MQIsdp"
}

// strict makes a short read an error: the codec reads each field with one Read, and
// would take the zeros after the end of a cut-off packet for its content.
type strict struct{ r io.Reader }

func (s strict) Read(p []byte) (int, error) { return io.ReadFull(s.r, p) }

// What a broker sends.

func connack(code byte, present bool) packets.ControlPacket {
	p := packets.NewControlPacket(packets.Connack).(*packets.ConnackPacket)
	p.ReturnCode, p.SessionPresent = code, present
	return p
}

func publish(d delivery) packets.ControlPacket {
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Payload, p.MessageID = d.Topic, d.Payload, d.ID
	p.Qos, p.Retain, p.Dup = d.QoS, d.Retain, d.Dup
	return p
}

func puback(id uint16) packets.ControlPacket {
	p := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
	p.MessageID = id
	return p
}

// subscribeFailed stands in a SUBACK where the QoS granted would.
const subscribeFailed = 0x80

func suback(id uint16, codes ...byte) packets.ControlPacket {
	p := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
	p.MessageID, p.ReturnCodes = id, codes
	return p
}

func unsuback(id uint16) packets.ControlPacket {
	p := packets.NewControlPacket(packets.Unsuback).(*packets.UnsubackPacket)
	p.MessageID = id
	return p
}
