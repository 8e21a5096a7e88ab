package tlsconn

// Rest is for whoever reads, and wants to wait for the peer's next bytes at the socket
// instead of in Read, as package acceptor does: a Read that has met its deadline can be
// tried again, and has nothing to give before the socket has. ended is called when the
// connection ends by our side; false: it has ended.
func (c *Conn) Rest(ended func()) bool {
	s := c.socket.Load()
	return s != nil && s.rest(ended)
}

// rest has ended called when the socket is closed.
func (s *spy) rest(ended func()) bool {
	s.resting.Store(&ended)
	return !s.shut.Load()
}
