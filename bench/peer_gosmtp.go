// SPDX-License-Identifier: MIT

// bench/peer_gosmtp PORTFILE: go-smtp with a back end that accepts and reads
// each message to its end.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"os"

	"github.com/emersion/go-smtp"
)

type backend struct{}
type session struct{}

func (backend) Login(*smtp.ConnectionState, string, string) (smtp.Session, error) {
	return nil, smtp.ErrAuthUnsupported
}

func (backend) AnonymousLogin(*smtp.ConnectionState) (smtp.Session, error) {
	return session{}, nil
}

func (session) Reset()        {}
func (session) Logout() error { return nil }

func (session) Mail(string, smtp.MailOptions) error { return nil }
func (session) Rcpt(string) error                   { return nil }

func (session) Data(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	portfile := os.Args[1]
	port := fmt.Sprintln(listener.Addr().(*net.TCPAddr).Port)
	if err := os.WriteFile(portfile+".new", []byte(port), 0o644); err != nil {
		log.Fatal(err)
	}
	if err := os.Rename(portfile+".new", portfile); err != nil {
		log.Fatal(err)
	}
	server := smtp.NewServer(backend{})
	server.Domain = "localhost"
	server.MaxMessageBytes = 64 << 20
	server.MaxRecipients = 1000
	log.Fatal(server.Serve(listener))
}
